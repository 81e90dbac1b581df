"""The lists that staff work from: alerts, and the audit log."""

from hawker.alerts.queries import SUBJECT_TEXT
from hawker.audit.queries import ACTOR_TEXT, IS_ACTOR
from hawker.lists.declaration import (
    Branch,
    Column,
    ColumnType,
    Filter,
    FilterType,
    KeyType,
    ListDeclaration,
    Sort,
    Walk,
)
from hawker.lists.names_queries import FIND_ACCOUNT

NUMBER, TEXT, INSTANT, FACTS = ColumnType.NUMBER, ColumnType.TEXT, ColumnType.INSTANT, ColumnType.FACTS

_ABOUT = f"({SUBJECT_TEXT.format(alert='a')}) = %(subject)s::text"

ALERTS = ListDeclaration(
    name="alerts",
    title="Alerts",
    table="alert",
    alias="a",
    columns=(
        Column("alert", "Alert", NUMBER, "a.id"),
        Column("kind", "Kind", TEXT, "a.kind"),
        Column("subject", "Subject", TEXT, SUBJECT_TEXT.format(alert="a")),
        Column("text", "Text", TEXT, "a.text"),
        Column("opened_at", "Opened", INSTANT, "a.opened_at"),
        Column("seen_at", "Last seen", INSTANT, "a.seen_at"),
        Column("times", "Times seen", NUMBER, "a.times"),
        Column("closed_at", "Closed", INSTANT, "a.closed_at"),
        Column("closed_by", "Closed by", TEXT, "a.closed_by"),
    ),
    filters=(
        Filter("open", "Open", FilterType.FLAG, "It is not over.", "a.closed_at IS NULL"),
        Filter("kind", "Kind", FilterType.TEXT, "The kind of alert.", "a.kind = %(kind)s::text"),
        Filter("subject", "Subject", FilterType.TEXT, "What it is about, exactly.", _ABOUT),
        Filter("opened", "Opened", FilterType.SPAN, "When it was opened.", "a.opened_at"),
    ),
    sorts=(Sort("alert", "Alert number", (("a.id", KeyType.NUMBER),), descending=True),),
    instant="a.opened_at",
    walks=(
        Walk(
            "open",
            (Branch("(SELECT id FROM alert WHERE closed_at IS NULL OFFSET 0) a", ("a.id",)),),
            {"open": ("yes",)},
            ("open",),
        ),
        Walk("all", (Branch("alert a", ("a.id",)),), in_place=True),
    ),
)

_OF_CUSTOMER = """(SELECT 'account' AS kind, %(customer)s::bigint::text AS id
    UNION ALL SELECT 'customer', u.email FROM account b JOIN app_user u ON u.id = b.user_id
               WHERE b.id = %(customer)s::bigint
    UNION ALL SELECT 'key', k.id::text FROM account b JOIN api_key k ON k.user_id = b.user_id
               WHERE b.id = %(customer)s::bigint)"""
"""A customer as the audit log names one: by account, by address, and by each key that there ever was."""

_SUBJECT = "e.subject_kind = {kind} AND (strpos(%(subject)s::text, ':') = 0 OR e.subject_id = {id})".format(
    kind="split_part(%(subject)s::text, ':', 1)",
    id="substr(%(subject)s::text, strpos(%(subject)s::text, ':') + 1)",
)

AUDIT = ListDeclaration(
    name="audit",
    title="Audit log",
    table="audit_event",
    alias="e",
    columns=(
        Column("event", "Event", NUMBER, "e.id"),
        Column("at", "At", INSTANT, "e.at"),
        Column("actor", "Actor", TEXT, ACTOR_TEXT.format(row="e")),
        Column("actor_kind", "Kind of actor", TEXT, "e.actor_kind"),
        Column("address", "Address", TEXT, "e.address"),
        Column("action", "Action", TEXT, "e.action"),
        Column("subject", "Subject", FACTS, "json_build_object('kind', e.subject_kind, 'id', e.subject_id)"),
        Column("before", "Before", FACTS, "e.before"),
        Column("after", "After", FACTS, "e.after"),
        Column("reason", "Reason", TEXT, "e.reason"),
    ),
    filters=(
        Filter("actor", "Actor", FilterType.TEXT, "Who did it, such as cli:root.", IS_ACTOR.format(row="e")),
        Filter(
            "action",
            "Action",
            FilterType.TEXT,
            "What was done: key.revoke, or key for all about keys.",
            "e.action = %(action)s::text OR starts_with(e.action, %(action)s::text || '.')",
        ),
        Filter("subject", "Subject", FilterType.TEXT, "What about: provider:acme, or provider for all.", _SUBJECT),
        Filter(
            "customer",
            "Customer",
            FilterType.NAME,
            "The customer's e-mail address: all about the balance, the keys and the prices.",
            f"(e.subject_kind, e.subject_id) IN {_OF_CUSTOMER}",
            lookup=FIND_ACCOUNT,
        ),
        Filter("at", "At", FilterType.SPAN, "When it was done.", "e.at"),
    ),
    sorts=(Sort("event", "Event number", (("e.id", KeyType.NUMBER),), descending=True),),
    instant="e.at",
    walks=(
        Walk(
            "customer",
            (
                Branch(
                    f"{_OF_CUSTOMER} c CROSS JOIN LATERAL (SELECT id FROM audit_event"
                    " WHERE subject_kind = c.kind AND subject_id = c.id ORDER BY id DESC LIMIT %(window)s) e",
                    ("e.id",),
                ),
            ),
            {"customer": ()},
            ("customer",),
        ),
        Walk("subject", (Branch("audit_event e", ("e.id",), "{subject}"),), {"subject": ()}, ("subject",)),
        Walk("actor", (Branch("audit_event e", ("e.id",), "{actor}"),), {"actor": ()}, ("actor",)),
        Walk("all", (Branch("audit_event e", ("e.id",)),), in_place=True),
    ),
)

JOBS = ListDeclaration(
    name="jobs",
    title="Jobs on many subjects",
    table="job",
    alias="j",
    columns=(
        Column("job", "Job", NUMBER, "j.id"),
        Column("operation", "Operation", TEXT, "j.operation"),
        Column("dry_run", "Dry run", ColumnType.FLAG, "j.is_dry_run"),
        Column("state", "State", TEXT, "j.state"),
        Column("by", "By", TEXT, ACTOR_TEXT.format(row="j")),
        Column("total", "Subjects", NUMBER, "j.total"),
        Column("done", "Done", NUMBER, "j.done"),
        Column("refused", "Refused", NUMBER, "j.refused"),
        Column("created_at", "Created", INSTANT, "j.created_at"),
        Column("finished_at", "Finished", INSTANT, "j.finished_at"),
    ),
    filters=(
        Filter(
            "state",
            "State",
            FilterType.CHOICE,
            "The job's state.",
            "j.state = %(state)s",
            choices=("waiting", "running", "finished", "stopped"),
        ),
        Filter("operation", "Operation", FilterType.TEXT, "The operation's name.", "j.operation = %(operation)s::text"),
        Filter("created", "Created", FilterType.SPAN, "When it was made.", "j.created_at"),
    ),
    sorts=(Sort("job", "Job number", (("j.id", KeyType.NUMBER),), descending=True),),
    instant="j.created_at",
    walks=(Walk("all", (Branch("job j", ("j.id",)),), in_place=True),),
)

LISTS = (ALERTS, AUDIT, JOBS)
