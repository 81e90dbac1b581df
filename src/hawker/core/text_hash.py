"""PostgreSQL's hash of a text, for indexes."""

from django.db.models import BigIntegerField, Func


class TextHash(Func):
    """64 bits of a text. An index of them finds a text of any length; an index of the texts themselves cannot."""

    function = "hashtextextended"
    template = "%(function)s(%(expressions)s, 0)"
    output_field = BigIntegerField()
