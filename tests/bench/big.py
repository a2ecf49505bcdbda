"""big - millions of sold leads made by SQL: 20 days old, delivered, their duplicate keys still in force."""
import leadline_testing as testing
from figures import say

CHUNK = 250_000

_LEADS = """
    (SELECT n, at, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint + n / 10), 12, '0') || '7' || lpad(to_hex(n %% 4096), 3, '0')
        || '8' || substr(md5(n::text), 1, 15))::uuid AS id
     FROM (SELECT date_trunc('day', now()) - interval '20 days' AS at) t, generate_series(%s::bigint, %s::bigint) n) l"""

_INSERTS = (
    """INSERT INTO lead (id, campaign_id, supplier_id, status, is_test, received_at, decided_at, reasons, price_cents, cost_cents,
        phone_key, email_key, answer_status, answer_body, raw, fields)
     SELECT id, 'campaign_abc123', 'supplier_xyz789', 'ACCEPTED', false, at, at, '[]', 2500, 1000, md5('p' || n)::uuid, md5('e' || n)::uuid, 201,
        format('{"data":{"id":"%%s","status":"ACCEPTED","buyer_id":"buyer_0","campaign_id":"campaign_abc123"}}', id),
        jsonb_build_object('flo_campaign_id', 'campaign_abc123', 'flo_supplier_id', 'supplier_xyz789', 'first_name', 'John', 'last_name', 'Doe',
            'phone', '9' || lpad(n::text, 9, '0'), 'email', 'john.' || n || '@example.org', 'state', 'TX', 'zip_code', '75201', 'age', '42'),
        jsonb_build_object('first_name', 'John', 'last_name', 'Doe', 'phone', '+19' || lpad(n::text, 9, '0'),
            'email', 'john.' || n || '@example.org', 'state', 'TX', 'zip_code', '75201', 'age', 42)
     FROM""",
    """INSERT INTO duplicate_key (key, lead_id, supplier_id, at, expires_at)
     SELECT md5(what || n)::uuid, id, 'supplier_xyz789', at, at + interval '30 days' FROM (VALUES ('p'), ('e')) w (what),""",
    """INSERT INTO sale (lead_id, n, campaign_id, supplier_id, buyer_id, contract_id, price_cents, cost_cents, state, is_test, sold_at)
     SELECT id, 1, 'campaign_abc123', 'supplier_xyz789', 'buyer_0', 'contract_0', 2500, 1000, 'SOLD', false, at FROM""",
    """INSERT INTO delivery (lead_id, id, n, buyer_id, state, attempt, due_at, last_http_status)
     SELECT id, md5('d' || n)::uuid, 1, 'buyer_0', 'DELIVERED', 1, at, 200 FROM""",
    """INSERT INTO attempt (lead_id, delivery_id, attempt, at, took_ms, http_status, verdict, answer)
     SELECT id, md5('d' || n)::uuid, 1, at, 3, 200, 'ACCEPTED', '{"result":"accepted"}' FROM""",
    """INSERT INTO trail (lead_id, step, at, decisions)
     SELECT id, 'sale', at, '[{"contract_id":"contract_0","decision":"sold","detail":"25.00"}]' FROM""",
)


def store(dev, millions):
    """Stores so many million leads, and settles the tables."""
    connection = dev.connect()
    try:
        testing.query(connection, "SET synchronous_commit = off")
        for first in range(0, millions * 1_000_000, CHUNK):
            for insert in _INSERTS:
                testing.query(connection, insert + _LEADS, first, first + CHUNK - 1)
            say(f"{(first + CHUNK) / 1e6:.2f} million leads stored")
        testing.query(connection, "VACUUM ANALYZE")
        testing.query(connection, "CHECKPOINT")
    finally:
        connection.close()
