"""The comparator: the same orders in a plain Django project, as a competent developer writes it today.

One view, the ORM, one transaction per request with select_for_update on the account, persistent connections, and
no middleware at all (most projects pay for a dozen). It writes the same facts as Hawker: the order, the charge with
the balance after it, the new balance. In its favour it leaves out what Hawker does beside them: the row of due work,
the ledger's triggers, the price that is verified at the COMMIT. It has a database of its own in the same cluster, so
PostgreSQL's settings are the same.

Served by gunicorn, 2 processes of the gthread worker with 1 thread each, because that was fastest on two cores that
database and generator share. add / balance a second at 64 connections, two runs each on a machine not quite at rest:

    gthread 2 x 1    541, 559 /  848, 1916     sync 2          469, 427 / 1785, 1285   (closes each connection)
    gthread 2 x 2    538, 459 /  956,  925     sync 4          407, 341 / 1522, 1012
    gthread 2 x 4    392, 442 /  936, 1395     granian 2 x 1   180, 195 / 1333, 1675
    gthread 2 x 32   367, 437 / 1057, 1024     granian 2 x 4   320, 497 / 1603, 1552
    gthread 4 x 4    263, 342 / 1391, 1055
"""
