"""How fast Hawker is, always beside something else measured in the same run on the same cluster.

`python -m bench` starts a database, a panel and the comparators in a temporary folder, loads each from wrk
or pgbench, prints one table of ratios against the goals, and stops everything. Absolute figures say little
about another machine; the ratios do. Nothing here is part of the product, and nothing of it is switched off
for the measurement: fsync, synchronous_commit, every trigger and constraint stay on, for all sides alike.

    __main__.py      what runs, in which order, within which time
    plan.py          how much of everything
    works/           what is measured: a function a work, each answering rows of the table
    stack.py         the database, the panel, the comparators: started, verified, stopped
    fill.py          customers, services and orders by set SQL, through the triggers; the bodies that loads send
    bulk.py          the same for millions of orders, past the triggers
    placing.py       many orders that wait to be sent
    measuring.py     one side under load with the CPU of each process group; several sides in turns
    load.py          wrk, with load.lua
    sql.py           pgbench, with its script of one order per transaction
    figures.py       a run, its median, a row of the table
    plain_django/    the comparator "a plain Django view", and why it is served as it is
    echo.py          the comparator "a bare ASGI echo"
    report.py        the table, results.json, and what fell since the committed one
    documents.py     the tables that docs/performance.md and docs/scaling.md show of it
    instructions.py  apart from all this: one add's instructions under callgrind (one_add.py, callgrind.py)
    processes.py, tools.py

A run with one refused, broken or miscounted answer is void and says so; after each work that wrote, `hawker verify`
must be clean. What others did on the machine meanwhile is measured and said, because it cannot be prevented.
"""
