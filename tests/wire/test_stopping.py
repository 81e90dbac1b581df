"""A server that is told to stop answers everybody who was let in, and cuts nobody off."""

import os
import signal
import socket
import subprocess
import sys
import threading

from panel import Panel
from processes import ended, start_serve, wait_until_healthy
from raw_http import Wire, post_form


def test_a_client_that_holds_a_connection_is_answered_once_more(panel: Panel) -> None:
    request = post_form(key=panel.customer().api_key, action="balance")
    with start_serve() as server, Wire(server.url) as asked_before, Wire(server.url) as fresh, Wire(server.url) as cut:
        assert "connection" not in asked_before.ask(request).headers
        cut.send(request[:30])
        os.kill(server.pid, signal.SIGTERM)
        # Longer than the server needs to notice: all three belong to a server that stops.
        assert asked_before.is_silent(seconds=0.6)
        cut.send(request[30:])
        for wire in (cut, fresh, asked_before):
            answer = wire.answer() if wire is cut else wire.ask(request)
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            assert wire.is_closed()


def test_an_idle_connection_does_not_hold_up_a_stop(panel: Panel) -> None:
    with start_serve() as server, Wire(server.url) as idle:
        os.kill(server.pid, signal.SIGTERM)
        assert idle.is_closed()


def test_a_stream_of_newcomers_is_answered_or_refused_and_never_reset(panel: Panel) -> None:
    request = post_form(key=panel.customer().api_key, action="balance")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "hawker", "serve", "--port", str(port)])
    url = f"http://127.0.0.1:{port}"
    answered, cut_off = [0], []

    def come_and_go() -> None:
        while True:
            try:
                wire = Wire(url)
            except OSError:
                return
            with wire:
                try:
                    assert wire.ask(request).status == 200
                except (OSError, AssertionError) as error:
                    cut_off.append(repr(error))
                    return
            answered[0] += 1

    with ended(process):
        wait_until_healthy(url, process)
        threads = [threading.Thread(target=come_and_go) for _ in range(12)]
        for thread in threads:
            thread.start()
        threading.Event().wait(0.5)
        process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(30)
        assert process.wait(30) == -signal.SIGTERM
    assert answered[0] > len(threads)
    assert cut_off == []
