"""Those who act in tests."""

from hawker.core.actors import Actor, ActorKind, system

ANNA = Actor(ActorKind.STAFF, 7, "anna", "192.0.2.7")
STAFF = Actor(ActorKind.STAFF, 8, "ben", "192.0.2.8")
ROOT = Actor(ActorKind.CLI, 0, "root")
TEST = system("test")
