"""Ping-post and live bids on campaigns whose sales depend on the buyer's answer: prices stay those of the ping, a post that sold nothing may be repeated."""
import concurrent.futures
import json
import threading

import pytest

import leadline_testing as lt
from test_confirm_sales import NO, PRICES, YES, check, configuration, endpoints, settled, slow  # noqa: F401 (fixture)


def pinged(client, **fields):
    answer = client.ping(lt.ping(**fields)).json()
    assert answer["accepted"] is True, answer
    return answer


def sales(dev, answer):
    return [(row["buyer_id"], row["price"]) for row in dev.show(answer.data["id"])["sales"]]


def post(client, ping, **fields):
    return client.ingest(lt.lead(flo_ping_id=ping["ping_id"], **fields))


def test_the_next_of_the_ping_at_its_price(endpoints):
    document = configuration(endpoints, routing="PING_POST")
    with lt.Dev(document) as dev:
        client = dev.client()
        ping = pinged(client)
        assert ping["buyers"] == [{"buyer_id": id, "price": price} for id, price in PRICES.items()]
        for contract in document["campaigns"][0]["contracts"]:
            contract["price"] = "1.00"
        dev.apply(document)
        endpoints["a"].answer = NO
        sold = post(client, ping)
        assert sold.status == 201 and sales(dev, sold) == [("b", "25.00")]
        assert len(endpoints["a"].requests) == 1 and endpoints["a"].requests[0].data["price"] == "30.00"
        again = post(client, ping)
        assert (again.status, again.error, again.data["id"]) == (422, "ping_used", sold.data["id"])
        settled(dev)


def test_a_post_that_sold_nothing_may_be_repeated(endpoints):
    with lt.Dev(configuration(endpoints, routing="PING_POST")) as dev:
        client = dev.client()
        ping, lead = pinged(client), lt.lead()
        for endpoint in endpoints.values():
            endpoint.answer = NO
        answer = client.ingest({**lead, "flo_ping_id": ping["ping_id"]})
        assert answer.status == 200 and answer.data["status"] == "UNMATCHED"
        assert dev.query_one("SELECT count(*) FROM ping_used") == 0
        only_b = client.ingest({**lead, "flo_ping_id": ping["ping_id"], "flo_buyer_id": "b"})
        assert only_b.data["status"] == "UNMATCHED" and [len(endpoints[id].requests) for id in "abc"] == [1, 2, 1]
        endpoints["c"].answer = YES
        assert sales(dev, client.ingest({**lead, "flo_ping_id": ping["ping_id"]})) == [("c", "20.00")]
        assert dev.query_one("SELECT count(*) FROM ping_used") == 1


def test_two_posts_of_one_ping_while_the_buyer_thinks(endpoints):
    with lt.Dev(configuration(endpoints, routing="PING_POST", duplicates=[])) as dev:
        client = dev.client()
        endpoints["a"].answer = slow(YES, 0.4)
        ping = pinged(client)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: post(client, ping), range(4)))
        sold = [answer for answer in answers if answer.status == 201]
        assert len(sold) == 1 and sales(dev, sold[0]) == [("a", "30.00")] and len(endpoints["a"].requests) == 1
        assert all(answer.error == "ping_used" and answer.data["id"] == sold[0].data["id"] for answer in answers if answer is not sold[0])
        settled(dev)


@pytest.mark.parametrize("wanted", [None, "a"])
def test_the_router_dies_while_the_buyer_thinks(endpoints, wanted):
    """Whoever goes on with the lead keeps to its ping, and to its buyer."""
    with lt.Dev(configuration(endpoints, routing="PING_POST"), routers=2) as dev:
        client = dev.client()
        ping = pinged(client, subid="7")
        asked = threading.Event()

        def refuse(_request):
            asked.set()
            threading.Event().wait(0.5)
            return NO
        endpoints["a"].answer = refuse
        lead = lt.lead(flo_ping_id=ping["ping_id"], flo_buyer_id=wanted, subid="7")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            first = pool.submit(lambda: dev.client().ingest(lead, idempotency_key="once"))
            assert asked.wait(10)
            holder = dev.query_one("SELECT router FROM distributing")
            dev.kill_and_wait(holder)
            first.result(30)
        settled(dev)
        answer = client.ingest(lead, idempotency_key="once")
        if wanted is None:
            assert answer.status == 201 and sales(dev, answer) in ([("b", "25.00")], [("c", "20.00")])
        else:
            assert answer.data["status"] == "UNMATCHED" and not endpoints["b"].requests and not endpoints["c"].requests
        assert dev.query_one("SELECT count(*) FROM ping_used") == (wanted is None)


def test_the_next_bid_when_the_best_bidder_refuses():
    def bidder(price, verdict):
        return lt.Buyer(lambda request: (200, json.dumps({"bid_price": price})) if request.path == "/ping" else verdict)
    bidders = {"a": bidder("11.00", YES), "b": bidder("13.00", NO), "c": bidder("12.00", YES)}
    try:
        document = configuration(bidders, distribution="HIGHEST_BID")
        for buyer in document["buyers"]:
            buyer["ping"] = {"url": bidders[buyer["id"]].url.replace("/leads", "/ping"), "timeout_ms": 1000}
        with lt.Dev(document) as dev:
            sold = dev.client().ingest(lt.lead())
            assert sold.status == 201 and sales(dev, sold) == [("c", "12.00")]
            settled(dev)
            check(dev)
    finally:
        for endpoint in bidders.values():
            endpoint.close()
