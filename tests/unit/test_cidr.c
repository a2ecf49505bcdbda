/* test_cidr.c - common/cidr.c: reading ranges and addresses, and which are special. */
#include "common/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static void reading(void **state)
{
    static const struct { const char *claim, *text; int bits; } rows[] = { /* bits -1: refused */
        {"a range of IPv4", "203.0.113.0/24", 120},
        {"one address of IPv4", "203.0.113.9", 128},
        {"one address, said so", "203.0.113.9/32", 128},
        {"all of IPv4", "0.0.0.0/0", 96},
        {"a range of IPv6", "2001:db8::/32", 32},
        {"one address of IPv6", "2001:db8::1", 128},
        {"everything", "::/0", 0},
        {"the mapped form", "::ffff:203.0.113.0/120", 120},
        {"host bits", "203.0.113.1/24", -1},
        {"host bits of IPv6", "2001:db8::1/32", -1},
        {"host bits inside a byte", "10.0.0.0/7", 103},
        {"host bits inside a byte", "11.0.0.0/7", -1},
        {"more bits than IPv4 has", "203.0.113.0/33", -1},
        {"more bits than IPv6 has", "::/129", -1},
        {"no bits", "203.0.113.0/", -1},
        {"bits below nought", "203.0.113.0/-1", -1},
        {"bits with a sign", "203.0.113.0/+8", -1},
        {"bits with a leading nought", "10.0.0.0/08", -1},
        {"bits that are no number", "203.0.113.0/2x", -1},
        {"two slashes", "10.0.0.0/8/8", -1},
        {"a name", "localhost", -1},
        {"too few parts", "10.0.0", -1},
        {"a part too large", "10.0.0.256", -1},
        {"octal", "010.0.0.1", -1},
        {"blank before", " 10.0.0.1", -1},
        {"a zone", "fe80::1%eth0", -1},
        {"nothing", "", -1},
        {"a very long one", "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct cidr cidr;
        int rc = cidr_parse(&cidr, span_of(rows[i].text));

        if ((rc == 0 ? (int)cidr.bits : -1) != rows[i].bits)
            fail_msg("%s: %s gives %d, %u bits", rows[i].claim, rows[i].text, rc, cidr.bits);
    }
    {
        struct cidr cidr;

        assert_int_equal(cidr_parse(&cidr, SPAN("10.0.0.1\0")), -1);
        assert_int_equal(cidr_parse(&cidr, (struct span){NULL, 0}), -1);
    }
}

static void inside(void **state)
{
    static const struct { const char *claim, *range, *address; bool want; } rows[] = {
        {"the first", "203.0.113.0/24", "203.0.113.0", true},
        {"the last", "203.0.113.0/24", "203.0.113.255", true},
        {"one before", "203.0.113.0/24", "203.0.112.255", false},
        {"one behind", "203.0.113.0/24", "203.0.114.0", false},
        {"itself", "203.0.113.9", "203.0.113.9", true},
        {"its neighbour", "203.0.113.9", "203.0.113.8", false},
        {"the mapped form is the same address", "203.0.113.0/24", "::ffff:203.0.113.7", true},
        {"inside a byte", "172.16.0.0/12", "172.31.255.255", true},
        {"inside a byte, outside", "172.16.0.0/12", "172.32.0.0", false},
        {"IPv6", "2001:db8::/32", "2001:db8:ffff::1", true},
        {"IPv6, outside", "2001:db8::/32", "2001:db9::1", false},
        {"all of IPv4 has no IPv6", "0.0.0.0/0", "2001:db8::1", false},
        {"all of IPv4", "0.0.0.0/0", "255.1.2.3", true},
        {"brackets", "2001:db8::1", "[2001:db8::1]", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct cidr cidr[2];
        uint8_t address[16];

        assert_int_equal(cidr_parse(&cidr[0], SPAN("198.51.100.77")), 0);
        assert_int_equal(cidr_parse(&cidr[1], span_of(rows[i].range)), 0);
        assert_int_equal(cidr_address(span_of(rows[i].address), address), 0);
        if (cidr_has(&cidr[1], address) != rows[i].want || cidr_any_has(cidr, 2, address) != rows[i].want)
            fail_msg("%s", rows[i].claim);
        assert_false(cidr_any_has(cidr, 0, address));
    }
}

static void bad_addresses(void **state)
{
    static const char *const rows[] = {"", "[]", "[10.0.0.1]", "10.0.0.0/8", "[::1", "::1]", "1", "::g", "10.0.0.1 "};
    uint8_t address[16];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        if (cidr_address(span_of(rows[i]), address) != -1)
            fail_msg("%s was read", rows[i]);
}

static void special(void **state)
{
    static const struct { const char *claim, *address; bool want; } rows[] = {
        {"a public address", "8.8.8.8", false},
        {"another", "93.184.216.34", false},
        {"this host", "0.0.0.0", true},
        {"private 10", "10.255.255.255", true},
        {"before private 10", "9.255.255.255", false},
        {"behind private 10", "11.0.0.0", false},
        {"shared", "100.64.0.1", true},
        {"behind shared", "100.128.0.0", false},
        {"before shared", "100.63.255.255", false},
        {"Alibaba's metadata", "100.100.100.200", true},
        {"loopback", "127.0.0.1", true},
        {"the rest of loopback", "127.255.0.1", true},
        {"clouds' metadata", "169.254.169.254", true},
        {"Azure's wire server", "168.63.129.16", true},
        {"its neighbour", "168.63.129.17", false},
        {"Oracle's metadata", "192.0.0.192", true},
        {"private 172.16", "172.16.0.1", true},
        {"the end of private 172.16", "172.31.255.255", true},
        {"behind private 172.16", "172.32.0.1", false},
        {"before private 172.16", "172.15.255.255", false},
        {"documentation", "192.0.2.1", true},
        {"private 192.168", "192.168.1.1", true},
        {"behind private 192.168", "192.169.0.0", false},
        {"benchmarks", "198.19.255.255", true},
        {"behind benchmarks", "198.20.0.0", false},
        {"documentation 2", "198.51.100.1", true},
        {"documentation 3", "203.0.113.1", true},
        {"the last unicast address", "223.255.255.255", false},
        {"multicast", "224.0.0.1", true},
        {"reserved", "240.0.0.1", true},
        {"broadcast", "255.255.255.255", true},
        {"public IPv6", "2606:4700:4700::1111", false},
        {"another", "2a00:1450:4001:81b::200e", false},
        {"unspecified", "::", true},
        {"loopback of IPv6", "::1", true},
        {"mapped loopback", "::ffff:127.0.0.1", true},
        {"mapped private", "::ffff:10.1.2.3", true},
        {"mapped public", "::ffff:8.8.8.8", false},
        {"compatible private", "::192.168.0.1", true},
        {"compatible public", "::8.8.8.8", false},
        {"translated private", "64:ff9b::10.0.0.1", true},
        {"translated metadata", "64:ff9b::169.254.169.254", true},
        {"translated public", "64:ff9b::8.8.8.8", false},
        {"translated the old way", "::ffff:0:127.0.0.1", true},
        {"translation of local use", "64:ff9b:1::8.8.8.8", true},
        {"discard-only", "100::1", true},
        {"Teredo", "2001::1", true},
        {"ORCHID", "2001:20::1", true},
        {"behind IETF's assignments", "2001:200::1", false},
        {"documentation of IPv6", "2001:db8::1", true},
        {"6to4", "2002:7f00:1::", true},
        {"documentation 3fff", "3fff:fff::1", true},
        {"behind documentation 3fff", "3fff:1000::1", false},
        {"segment routing", "5f00::1", true},
        {"unique local", "fd12:3456::1", true},
        {"Amazon's metadata of IPv6", "fd00:ec2::254", true},
        {"link-local", "fe80::1", true},
        {"ISATAP of a private address", "2606:4700::5efe:10.0.0.1", true},
        {"ISATAP, said to be unique", "2606:4700::200:5efe:127.0.0.1", true},
        {"ISATAP of a public address", "2606:4700::5efe:8.8.8.8", false},
        {"the Teredo prefix's last", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", true},
        {"6to4 of a public address", "2002:808:808::1", true},
        {"site-local", "fec0::1", true},
        {"multicast of IPv6", "ff02::1", true},
        {"not assigned", "4000::1", true},
        {"not assigned", "e000::1", true},
        {"not assigned", "1234::1", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t address[16];

        assert_int_equal(cidr_address(span_of(rows[i].address), address), 0);
        if (cidr_is_special(address) != rows[i].want)
            fail_msg("%s: %s", rows[i].claim, rows[i].address);
    }
}

static void of_sockets(void **state)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    uint8_t a[16], b[16];

    (void)state;
    assert_int_equal(inet_pton(AF_INET, "203.0.113.9", &v4.sin_addr), 1);
    assert_int_equal(inet_pton(AF_INET6, "::ffff:203.0.113.9", &v6.sin6_addr), 1);
    assert_int_equal(cidr_of_socket((struct sockaddr *)&v4, a), 0);
    assert_int_equal(cidr_of_socket((struct sockaddr *)&v6, b), 0);
    assert_memory_equal(a, b, 16);
    assert_int_equal(cidr_of_socket((struct sockaddr *)&un, a), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading),
        cmocka_unit_test(inside),
        cmocka_unit_test(bad_addresses),
        cmocka_unit_test(special),
        cmocka_unit_test(of_sockets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
