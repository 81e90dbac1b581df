"""What can go wrong with providers that an operator can act on; each message is a sentence for people."""


class BadProvider(Exception):
    """The provider cannot be saved as given: address, key or name; nothing was written."""


class NoSuchProvider(Exception):
    """There is no provider of this name."""


class ProviderExists(Exception):
    """There is a provider of this name already."""


class CannotConnect(Exception):
    """No connection to the provider: provably, nothing was sent."""


class CallFailed(Exception):
    """A call was sent and no usable answer came back."""


class NoSuchRoute(Exception):
    """The service is not bought from this provider."""


class BadRoute(Exception):
    """The route cannot be saved as given; nothing was written."""


class CannotRotate(Exception):
    """The encryption key cannot be changed; nothing was."""
