"""Names for numbers and numbers for names, as every list has them."""

CUSTOMER_OF = "(SELECT u.email FROM account a JOIN app_user u ON u.id = a.user_id WHERE a.id = {account})"
PROVIDER_OF = "(SELECT p.name FROM provider p WHERE p.id = {provider})"
SERVICE_OF = "(SELECT s.name FROM service s WHERE s.id = {service})"

FIND_ACCOUNT = """
    SELECT a.id FROM app_user u JOIN account a ON a.user_id = u.id WHERE u.email = lower(btrim(%s))
"""
"""The account of a customer, by e-mail address."""

FIND_PROVIDER = "SELECT id FROM provider WHERE name = %s"
