"""One call of API v2, written in the languages that customers use, with nothing beside what each brings along."""

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """A program in one language, whole and ready to run: it prints the answer as it came."""

    language: str
    slug: str
    code: str


def examples_of(url: str, fields: Mapping[str, str]) -> list[Example]:
    """The call that posts these fields to this address, in every language."""
    return [Example(language, language.lower().split(".")[0], write(url, fields)) for language, write in _WRITERS]


def curl_example(url: str, fields: Mapping[str, str]) -> str:
    """The call as a command of a shell."""
    sent = (f"  --data-urlencode {shlex.quote(f'{name}={text}')}" for name, text in fields.items())
    return " \\\n".join([f"curl {shlex.quote(url)}", *sent])


def _php(url: str, fields: Mapping[str, str]) -> str:
    lines = "\n".join(f"    {_php_text(name)} => {_php_text(text)}," for name, text in fields.items())
    return f"""<?php
$form = http_build_query([
{lines}
]);
$context = stream_context_create(["http" => [
    "method" => "POST",
    "header" => "Content-Type: application/x-www-form-urlencoded",
    "content" => $form,
]]);
echo file_get_contents({_php_text(url)}, false, $context);"""


def _python(url: str, fields: Mapping[str, str]) -> str:
    lines = "\n".join(f"    {_text(name)}: {_text(text)}," for name, text in fields.items())
    return f"""from urllib.parse import urlencode
from urllib.request import urlopen

form = urlencode({{
{lines}
}})
with urlopen({_text(url)}, form.encode()) as answer:
    print(answer.read().decode())"""


def _node(url: str, fields: Mapping[str, str]) -> str:
    lines = "\n".join(f"  {name}: {_text(text)}," for name, text in fields.items())
    return f"""const form = new URLSearchParams({{
{lines}
}});
const answer = await fetch({_text(url)}, {{ method: "POST", body: form }});
console.log(await answer.text());"""


def _text(text: str) -> str:
    """A string as Python and JavaScript both read it: letters as they are, because Python takes no halves of them."""
    return json.dumps(text, ensure_ascii=False)


def _php_text(text: str) -> str:
    """A string as PHP reads it: the same, and no variable in it."""
    return _text(text).replace("$", "\\$")


_WRITERS: tuple[tuple[str, Callable[[str, Mapping[str, str]], str]], ...] = (
    ("curl", curl_example),
    ("PHP", _php),
    ("Python", _python),
    ("Node.js", _node),
)
