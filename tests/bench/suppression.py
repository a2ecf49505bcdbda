"""suppression - the import of a large list, and leads a second with lists on against without."""
import os
import time

import load
from figures import say

LIST, SMALL = "large", "small"
AT_ONCE = 100_000
HEX = 64  # SHA-256


def write_list(path, entries):
    """A file of so many hashes that no lead has."""
    with open(path, "w") as file:
        file.write("phone\n")
        for begin in range(0, entries, AT_ONCE):
            text = os.urandom(min(AT_ONCE, entries - begin) * HEX // 2).hex()
            file.write("".join(text[at:at + HEX] + "\n" for at in range(0, len(text), HEX)))


def configuration(is_on):
    """The same rules; with is_on the campaign has the large list, and each contract a list that concerns only it."""
    document = load.configuration(None)
    document["suppression_lists"] = [{"id": LIST}, {"id": SMALL}]
    if is_on:
        document["campaigns"][0]["suppression_lists"] = [LIST]
        for contract in document["campaigns"][0]["contracts"]:
            contract["suppression_lists"] = [SMALL]
    return document


def import_list(dev, figures, folder, entries):
    """How long `leadctl suppress import` takes, until the entries hold."""
    path = os.path.join(folder, "list.csv")
    say(f"writing a file of {entries:,} hashes")
    write_list(path, entries)
    begin = time.monotonic()
    dev.leadctl("suppress", "import", LIST, path, timeout=3600)
    figures.add("suppression: seconds to import", time.monotonic() - begin, least=True)
    figures.add("suppression: entries/s", entries / figures.best["suppression: seconds to import"])
    os.unlink(path)
    found = dev.query_one("SELECT count(*) FROM suppression_entry")
    if found != entries:
        figures.fault(f"suppression: {entries} entries in the file, {found} in the list")


def measure(dev, figures, folder, entries, runs, most_leads):
    """Without and with by turns, so that both see the same tables grow. Returns the processors' costs of both fastest runs, by name."""
    costs = {}
    dev.apply(configuration(False))
    import_list(dev, figures, folder, entries)
    for _ in range(runs):
        for name in ("without lists", "with lists"):
            dev.apply(configuration(name == "with lists"))
            costs[name] = most_leads(dev, f"suppression: leads {name}")[1] or costs.get(name)
    return costs
