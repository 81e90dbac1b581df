"""The program `hawker` with the views of views_of_tests.py in place of the panel's pages."""

from hawker import django_settings
from hawker.cli.main import app

django_settings.ROOT_URLCONF = "views_of_tests"

if __name__ == "__main__":
    app()
