"""What changes all the time stands in no index, so that a change stays on its row's page (HOT) and off the indexes."""

import psycopg

from hawker.core.settings import settings
from panel import Panel

CHANGING = {
    "account": {"balance_micros", "seq", "credit_limit_micros"},
    "orders": {"state", "remains", "start_count", "updated_at", "ended_at", "refunded_micros", "earned_micros"},
}

# The columns that an index is made of, with those of its condition: a change of either is a change of the index.
INDEXED = """
    SELECT DISTINCT c.relname, a.attname
      FROM pg_index i
      JOIN pg_class c ON c.oid = i.indrelid
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum > 0
     WHERE c.relname = ANY(%s)
       AND (a.attnum = ANY(i.indkey) OR concat(i.indpred, i.indexprs) ~ format(':varattno %%s ', a.attnum))
"""


def test_no_index_speaks_of_what_changes_with_each_move(panel: Panel) -> None:
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as owner:
        indexed = owner.execute(INDEXED, (list(CHANGING),)).fetchall()
        assert ("orders", "parent_id") in indexed
        assert ("orders", "upstream_id") in indexed
        assert [(table, name) for table, name in indexed if name in CHANGING[table]] == []
        with owner.transaction(force_rollback=True):
            owner.execute("CREATE INDEX seen ON orders (id) WHERE state = 'unknown'")
            assert ("orders", "state") in owner.execute(INDEXED, (list(CHANGING),)).fetchall()
