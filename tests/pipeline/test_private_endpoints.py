"""Buyers' endpoints at private addresses: allowed in development unless the document says no (SPEC 9)."""
import leadline_testing as lt


def test_development_allows_them_and_the_document_decides():
    with lt.Buyer() as buyer:
        silent = lt.document(buyer.url)
        del silent["allow_private_endpoints"]
        with lt.Dev(silent) as dev:
            client = lt.Client(dev.port)
            first = client.ingest(lt.lead()).data["id"]
            lt.eventually(lambda: buyer.of_lead(first), 5)

            assert dev.apply(lt.document(buyer.url, allow_private_endpoints=False)).returncode == 0
            second = client.ingest(lt.lead()).data["id"]
            attempt = lt.eventually(lambda: dev.show(second)["deliveries"][0]["attempts"], 10)[0]
            assert attempt["http_status"] is None and attempt["verdict"] == "RETRY" and "address" in attempt["answer"]
            assert not buyer.of_lead(second)
            client.close()
