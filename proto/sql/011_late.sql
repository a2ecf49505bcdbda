-- A yes that comes after the time of a post on whose answer a sale depended: its attempt, recorded as FAILED, becomes LATE.

GRANT UPDATE (verdict, http_status, took_ms, answer, price_cents, reference, redirect_url) ON attempt TO "leadline-dispatcher";
