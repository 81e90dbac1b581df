"""The one address."""

from django.urls import path

from bench.plain_django.views import api

urlpatterns = [path("api/v2", api)]
