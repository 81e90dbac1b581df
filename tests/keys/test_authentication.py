"""What a process remembers of keys: of one that is over it forgets that it was good."""

import asyncio
from datetime import UTC, datetime

import pytest

from hawker.accounts.actions import Grant, KeyAsk, LookUp
from hawker.accounts.models import KeyScope
from hawker.api.authentication import KeyAuthenticator
from hawker.api.limits import EmptyBuckets, TooManyRequests
from hawker.core.addresses import read_address
from hawker.limits.rules import Standing

NOW = datetime(2026, 11, 25, tzinfo=UTC)
HERE = read_address("192.0.2.7")
GRANT = Grant(1, 1000, KeyScope.ORDER, (), None)


@pytest.mark.quick
def test_a_revoked_key_that_goes_on_calling_is_shut_out_without_asking_the_database() -> None:
    """A key that was good is spared while others at its address guess, until it is over itself."""
    asked: list[KeyAsk] = []
    answers = [LookUp(1, GRANT), LookUp(2, None), LookUp(2, None, Standing(60, 0, NOW, 30.0))]

    async def look_up(ask: KeyAsk) -> LookUp:
        asked.append(ask)
        return answers[min(len(asked), len(answers)) - 1]

    async def story() -> None:
        authenticator = KeyAuthenticator(look_up, EmptyBuckets())
        assert await authenticator.find("k", HERE, NOW) == GRANT
        authenticator.note_version(2, asked_at=0.0)
        assert await authenticator.find("k", HERE, NOW) is None
        for _ in range(5):
            with pytest.raises(TooManyRequests):
                await authenticator.find("k", HERE, NOW)

    asyncio.run(story())
    assert [ask.known for ask in asked] == [False, True, False]
