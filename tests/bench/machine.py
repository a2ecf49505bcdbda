"""machine - what the machine is, and who used its processors and memory meanwhile."""
import os
import re
import resource
import time

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_times():
    """Jiffies of all processors since the start: (busy, stolen by the hypervisor, all)."""
    with open("/proc/stat") as file:
        numbers = [int(word) for word in file.readline().split()[1:9]]
    return sum(numbers) - numbers[3] - numbers[4] - numbers[7], numbers[7], sum(numbers)


def memory_mb():
    with open("/proc/meminfo") as file:
        return int(file.readline().split()[1]) // 1024


def fsync_ms(folder, count=300):
    """What it takes to write 8 KiB over what is there and to have it on the disk, as PostgreSQL writes its log: the median."""
    path = os.path.join(folder, "fsync.test")
    page = os.urandom(8192)
    took = []
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.write(fd, page * 256)
        os.fsync(fd)
        for i in range(count):
            begin = time.perf_counter()
            os.pwrite(fd, page, i % 256 * 8192)
            os.fdatasync(fd)
            took.append(time.perf_counter() - begin)
    finally:
        os.close(fd)
        os.unlink(path)
    return sorted(took)[count // 2] * 1000


def rss_mb(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) / 1024


def memory(dev):
    """Of each daemon, MB."""
    return {name: rss_mb(dev.pid(name)) for name in dev.names()}


def _ticks(pid, with_ended_children=False):
    try:
        with open(f"/proc/{pid}/stat") as file:
            words = file.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(word) for word in words[11:15 if with_ended_children else 13])


def _children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


class Cpu:
    """Who uses the processors from now on. others: names and process ids besides the daemons' and PostgreSQL's."""

    def __init__(self, dev, others=None):
        self.dev = dev
        self.others = others or {}
        self.before = self._look()
        self.busy, self.ended = cpu_times()[0], resource.getrusage(resource.RUSAGE_CHILDREN)

    def _look(self):
        used = {}
        for name in self.dev.names():
            stage = name.split("-")[0]
            used[stage] = used.get(stage, 0) + _ticks(self.dev.pid(name))
        postmaster = self.dev.pid("postgres-1")
        of_routers = {row[0] for row in self.dev.query("SELECT pid FROM pg_stat_activity WHERE usename = 'leadline-router'")}
        backends = {pid: _ticks(pid) for pid in _children(postmaster)}
        used["PostgreSQL for the routers"] = sum(ticks for pid, ticks in backends.items() if pid in of_routers)
        used["PostgreSQL, the rest"] = _ticks(postmaster, True) + sum(ticks for pid, ticks in backends.items() if pid not in of_routers)
        for name, pid in self.others.items():
            used[name] = _ticks(pid)
        return used

    def seconds(self):
        """CPU seconds by name since then. What ended meanwhile as our child is the load generator."""
        after, ended = self._look(), resource.getrusage(resource.RUSAGE_CHILDREN)
        used = {name: (after[name] - self.before[name]) / TICKS for name in after}
        used["wrk"] = ended.ru_utime + ended.ru_stime - self.ended.ru_utime - self.ended.ru_stime
        used["everything else on this machine"] = max(0, (cpu_times()[0] - self.busy) / TICKS - sum(used.values()))
        return used
