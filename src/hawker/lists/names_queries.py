"""Names for numbers and numbers for names, and the filters by them, as many lists have them."""

from hawker.lists.declaration import Filter, FilterType

CUSTOMER_OF = "(SELECT u.email FROM account a JOIN app_user u ON u.id = a.user_id WHERE a.id = {account})"
PROVIDER_OF = "(SELECT p.name FROM provider p WHERE p.id = {provider})"
SERVICE_OF = "(SELECT s.name FROM service s WHERE s.id = {service})"

FIND_ACCOUNT = """
    SELECT a.id FROM app_user u JOIN account a ON a.user_id = u.id WHERE u.email = lower(btrim(%s))
"""
"""The account of a customer, by e-mail address."""

FIND_PROVIDER = "SELECT id FROM provider WHERE name = %s"


def customer_filter(sql: str) -> Filter:
    """The filter by a customer's e-mail address; `%(customer)s` is the account's number."""
    return Filter("customer", "Customer", FilterType.NAME, "The customer's e-mail address.", sql, lookup=FIND_ACCOUNT)


def account_filter(sql: str) -> Filter:
    """The filter by an account's number, by which a list is also cut to what is one customer's own."""
    return Filter("account", "Account", FilterType.NUMBER, "The account's number.", sql)
