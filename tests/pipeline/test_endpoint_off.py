"""An endpoint that says it is gone: nothing is sold to it any more, nothing is lost, and the operator's word holds at once (SPEC 9)."""
import leadline_testing as lt


def reasons(dev, lead_id):
    return {item["contract_id"]: item["reason"] for item in dev.show(lead_id)["trail"] if item["decision"] == "passed_over"}


def test_410_until_the_operator_switches_it_on():
    with lt.Buyer(410) as gone, lt.Buyer() as second:
        document = lt.document(buyers=[lt.buyer(url=gone.url), lt.buyer("buyer_two", second.url)],
                               campaigns=[lt.campaign(contracts=[lt.contract(priority=1), lt.contract("buyer_two", priority=2)])])
        with lt.Dev(document, routers=2, dispatchers=2) as dev:
            client = lt.Client(dev.port)

            def sell(**fields):
                answer = client.ingest(lt.lead(**fields))
                assert answer.status == 201
                return answer.data["id"], answer.data["buyer_id"]

            first, buyer_id = sell()
            assert buyer_id == "buyer_abc"
            lt.eventually(lambda: dev.query("SELECT is_off FROM buyer_endpoint") == [(True,)])
            met = len(gone.requests)

            def is_passed_over():
                lead_id, sold_to = sell()
                return sold_to == "buyer_two" and reasons(dev, lead_id) == {"buyer_abc": "endpoint_off"}
            lt.eventually(is_passed_over)
            assert dev.apply({**document, "time_zone": "Europe/Berlin"}).returncode == 0
            for _ in range(10):
                assert sell()[1] == "buyer_two"
            assert len(gone.requests) == met
            shown = dev.show(first)["deliveries"][0]
            assert shown["state"] == "OPEN" and [attempt["http_status"] for attempt in shown["attempts"]] == [410]

            gone.answer = 200
            assert "1 switched on" in dev.leadctl("endpoint", "on", "buyer_abc").stdout
            sold = [sell() for _ in range(10)]  # by either router
            assert {buyer_id for _, buyer_id in sold} == {"buyer_abc"}
            for lead_id in [first] + [lead_id for lead_id, _ in sold]:
                lt.eventually(lambda: dev.show(lead_id)["deliveries"][0]["state"] == "DELIVERED")

            dev.leadctl("endpoint", "off", "buyer_abc", "buyer_two", "--reason", "a test")
            for _ in range(10):
                assert client.ingest(lt.lead()).data["status"] == "UNMATCHED"
            client.close()
