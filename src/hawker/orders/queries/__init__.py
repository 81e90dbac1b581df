"""The set SQL of orders, one module a verb. Each statement is named and described; values are arrays."""
