#!/usr/bin/env python3
"""A pretended provider for work on the dashboard: serves the assets from the source and invents the API.

    python3 tests/browser/mock.py [PORT] [healthy|recovery|down|tokens|graph]

Nothing of it is used by the tests; they drive the real program.
"""

import json
import random
import re
import sys
import threading
import time
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlparse

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8999
SCENE = sys.argv[2] if len(sys.argv) > 2 else "healthy"
ASSETS = Path(__file__).parents[2] / "src/http/dashboard/assets"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'")
STATES = [("Online", 3500, None, 45), ("Busy", 6500, "on-the-phone", 20), ("Busy", 6500, "meeting", 8),
          ("DoNotDisturb", 9500, "presenting", 4), ("Away", 15500, None, 9), ("BeRightBack", 12500, "meal", 4),
          ("IdleOnline", 5000, None, 4), ("Offline", 18500, None, 6)]
DICE = random.Random(7)
BEGAN = time.time()


def stamp(at=None):
    moment = datetime.fromtimestamp(time.time() if at is None else at, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def presence(freshness="fresh", source="UcmaPresenceSource", age=None):
    name, value, activity, _ = DICE.choices(STATES, [state[3] for state in STATES])[0]
    if freshness == "unknown":
        name, value, activity = "Unknown", -1, None
    return {"availability": {"name": name, "value": value}, "activity": activity, "location": None,
            "device": "Computer", "network": "SameEnterprise",
            "capabilities": {"audio": "enabled", "video": "unknown", "text": "disabled"},
            "since": stamp(time.time() - (DICE.expovariate(1 / 2400) if age is None else age)),
            "source": source, "freshness": freshness}


def agent(number):
    freshness, state = "fresh", "active"
    if SCENE == "recovery" and number % 10 > 5:
        freshness, state = "stale", "awaiting_token"
    if SCENE == "down":
        freshness, state = "stale", "waiting_for_endpoint"
    if number % 997 == 0:
        freshness, state = "unknown", "abandoned"
    given = {"uri": f"sip:agent{number:05}@contoso.example", "presence": presence(freshness), "sequence": DICE.randint(1, 90),
             "state": state, "endpoint": "application", "uccs": [f"ucc_{name}" for name in DICE.sample(QUEUES, DICE.randint(1, 3))],
             "failures": 0, "next_retry": None, "account": None}
    if number % 40 == 0:
        given |= {"uri": f"tel:+3161{number:07}", "state": "served", "endpoint": None}
        given["presence"]["source"] = "PstnPresenceSource"
    if SCENE == "graph" and number % 3 == 0:
        given |= {"uri": f"sip:teams{number:05}@contoso.example", "endpoint": None, "account": "contoso-1"}
        given["presence"] |= {"source": "MsGraphPresenceSource", "device": "Undefined"}
    return given


def tenants():
    if SCENE != "graph":
        return []
    push = lambda state: {"state": state, "says": "Changes of 600 users are notified.", "users": 600, "expires": None, "notices": 9, "missed": 1}
    account = lambda name, state, person=False, notified=None: {
        "account": name, "kind": "delegated" if notified else "application", "state": state, "says": "How it is.", "needs_a_person": person,
        "failure": None, "retry_at": stamp(time.time() + 840) if state == "failed" else None, "retry_in": None, "token_until": None,
        "batches": 2, "requests": 100, "throttled": 0, "push": notified and push(notified)}
    tenant = lambda name, up, agents, accounts: {
        "tenant": name, "up": up, "since": stamp(BEGAN - 300), "says": "How it is.", "agents": agents, "looking_up": 3 if up else 0,
        "last_failure": None if up else {"code": 401, "detail": "AADSTS7000222: the client secret has expired", "by": "peer", "owner": "endpoint"},
        "retry_at": None if up else stamp(BEGAN + 900), "retry_in": None, "batches": 6, "sweep": 5.0, "swept_at": stamp(), "accounts": accounts}
    return [tenant("contoso.onmicrosoft.com", True, 3333, [account("contoso-1", "working", notified="listening"),
                   account("contoso-2", "working", notified="deaf"), account("contoso-poll", "starting")]),
            tenant("66825e03-7ef5-42da-9069-724602c31f6b", False, 12, [account("fabrikam", "failed", person=True)])]


QUEUES = ["helpdesk", "sales", "reception", "billing", "night", "hospital_west"]
AGENTS = [agent(number) for number in range(1, 10_001)]
AGENTS[0]["presence"]["activity"] = "<img src=x onerror=alert(1)>"
LISTENERS = []
LAST_RATE = [6.0]


def change():
    number = 0
    while True:
        time.sleep(DICE.expovariate(6))
        one = DICE.choice(AGENTS[:60] if DICE.random() < 0.3 else AGENTS)
        if one["state"] != "active":
            continue
        number += 1
        previous = one["presence"]
        one["presence"] = presence(age=0)
        one["sequence"] += 1
        event = {"type": "changed", "uri": one["uri"], "previous": previous, "presence": one["presence"], "sequence": one["sequence"]}
        for queue in list(LISTENERS):
            queue.append((f"1-{number}", event))


def counts():
    by = lambda key, value: sum(1 for one in AGENTS if (one["presence"][key] if key == "freshness" else one[key]) == value)
    return {"total": len(AGENTS), "fresh": by("freshness", "fresh"), "stale": by("freshness", "stale"), "unknown": by("freshness", "unknown"),
            "abandoned": by("state", "abandoned"), "quarantined": 0, "pending": by("state", "awaiting_token"), "backing_off": 0}


def status():
    agents = counts()
    waiting = agents["pending"]
    up = SCENE != "down"
    failure = {"owner": "endpoint", "by": "network", "code": None, "ms_diagnostics": None, "retry_after": None,
               "detail": "the connection to pool.contoso.example:5061 was closed"}
    verdict, headline, recovery = "well", "All 10,000 agents are fresh.", None
    if SCENE == "recovery":
        for one in [one for one in AGENTS if one["state"] == "awaiting_token"][:DICE.randint(10, 20)]:
            one["state"], one["presence"] = "active", one["presence"] | {"freshness": "fresh"}
        verdict, headline = "recovering", f"{agents['stale']:,} agents are waiting for fresh presence; the pool is back."
        recovery = {"cause": "application endpoint lost its pool: connection closed", "since": stamp(BEGAN - 260), "total": 10_000,
                    "order": "one available agent for every queue first: 5 of 6 queues have one; then the likeliest for most queues", "failed": 0,
                    "done": 10_000 - waiting, "predicted_end": stamp(time.time() + waiting / 15), "predicted_end_in": waiting / 15}
    if SCENE == "down":
        verdict, headline = "down", "No endpoint is up: 9,990 agents keep their last presence as stale."
        recovery = {"cause": "both endpoints lost their pool", "since": stamp(BEGAN - 20), "total": 9990, "done": 0, "predicted_end": None, "predicted_end_in": None}
    endpoint = lambda name, uri, number: {"endpoint": name, "uri": uri, "state": "Established" if up else "Reestablishing", "up": up,
        "last_failure": None if up else failure, "agents": number, "since": stamp(BEGAN - 9000), "wire": {"subscribes": 1, "notifies": 1, "dialogs": 1, "deviations": 0}}
    return {"verdict": verdict, "headline": headline, "version": "0.4.0", "started": stamp(BEGAN), "taken": stamp(), "agents": agents,
            "endpoints": [endpoint("application", "sip:ucc_presenceprovider01@contoso.example", 9200), endpoint("user", "sip:presence.user@contoso.example", 548)],
            "graph": tenants(),
            "sources": [{"source": "UcmaPresenceSource", "ready": up, "why": None, "agents": agents, "restarts": 0}],
            "throttle": {"waiting": waiting, "granted": 10_000, "rate": 15.0, "configured_rate": 15,
                         "predicted_end": stamp(time.time() + waiting / 15) if waiting else None, "predicted_end_in": waiting / 15},
            "recovery": recovery, "uccs": 6, "calls": 3, "changes_per_second": 6.2, "messages_per_second": 31.0}


def history():
    dice, samples, dip = random.Random(3), [], SCENE != "healthy"
    for age in range(600, -1, -1):
        lost = dip and age < 280
        stale = (4000 + 6000 * max(0, (age - 60)) // 220) if lost else 0
        samples.append({"age": age, "changes": max(0, 6 + dice.gauss(0, 2) + (14 if lost else 0)), "messages": max(0, 30 + dice.gauss(0, 5) + (40 if lost else 0)),
                        "fresh": 9990 - min(9990, stale), "stale": min(9990, stale), "unknown": 10, "waiting": min(9990, stale)})
    return {"samples": samples, "taken": stamp()}


def listed(query):
    get = lambda name: query.get(name, [""])[0]
    found = [one for one in AGENTS if get("q").lower() in one["uri"].lower()
             and get("freshness") in ("", one["presence"]["freshness"]) and get("state") in ("", one["state"])
             and get("source") in ("", one["presence"]["source"]) and (get("ucc") == "" or get("ucc") in one["uccs"])]
    sort = get("sort") or "uri"
    key = {"uri": lambda one: one["uri"], "since": lambda one: one["presence"]["since"], "state": lambda one: one["state"],
           "availability": lambda one: one["presence"]["availability"]["value"], "freshness": lambda one: one["presence"]["freshness"]}[sort.lstrip("-")]
    found.sort(key=key, reverse=sort.startswith("-"))
    offset, limit = int(get("offset") or 0), int(get("limit") or 100)
    return {"agents": found[offset:offset + limit], "total": len(found), "offset": offset, "taken": stamp()}


def detail(uri):
    one = next((one for one in AGENTS if one["uri"] == uri), None)
    if one is None:
        return None
    failure = {"owner": "not_found", "by": "peer", "code": 404, "ms_diagnostics": 4005, "retry_after": None, "detail": "404 Not Found: destination URI either not enabled for SIP or does not exist"}
    gone = one["state"] == "abandoned"
    return {"agent": one, "capabilities": one["presence"]["capabilities"], "freshness": one["presence"]["freshness"], "source": one["presence"]["source"],
            "why": "Given up after 3 failures: the pool does not know it (404)." if gone else "Subscribed at the application endpoint; the pool said it 4 minutes ago, and it is fresh.",
            "rules": {"uri": uri, "original": uri, "source": one["presence"]["source"], "considered": [
                {"source": "AttendantServiceSource", "verdict": "refused", "unmatched": [{"number": 1, "pattern": "domain2.com"}], "why": "none of its 1 rules matches"},
                {"source": "PstnPresenceSource", "verdict": "refused", "why": "it is no E.164 number"},
                {"source": "UcmaPresenceSource", "verdict": "taken", "why": "it takes every agent that no earlier source takes"}]},
            "subscription": {"endpoint": "application", "attempt": 4 if gone else 1, "failures": 3 if gone else 0, "next_retry": None, "next_retry_in": None,
                             "expires": None if gone else stamp(time.time() + 25_000), "last_failure": failure if gone else None},
            "changes": [{"sequence": 9 - n, "at": stamp(time.time() - 300 * n), "previous": presence(), "presence": presence()} for n in range(8)]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, code, body, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def problem(self, code, text):
        self.answer(code, {"type": "about:blank", "title": "x", "status": code, "detail": text}, "application/problem+json")

    def do_POST(self):
        self.answer(200, {"revived": 10})

    def do_GET(self):
        url = urlparse(self.path)
        path, query = url.path, parse_qs(url.query)
        if path == "/" or path.startswith("/dashboard/"):
            file = ASSETS / (path.removeprefix("/dashboard/") if path != "/" else "index.html")
            return self.answer(200, file.read_bytes(), TYPES[file.suffix]) if file.is_file() else self.problem(404, "no")
        if SCENE == "tokens" and self.headers.get("Authorization") != "Bearer good":
            return self.problem(401, "a token is needed")
        path = path.removeprefix("/api/v1/")
        if path == "events":
            return self.events()
        found = {"status": status, "history": history, "agents": lambda: listed(query),
                 "caller": lambda: {"name": "operator", "token_required": SCENE == "tokens", "scopes": ["operate"]},
                 "uccs": lambda: {"uccs": [{"name": f"ucc_{name}", "remote": n % 3 == 0, "agents": 3100 + n, "connections": n % 2, "released_at": None, "calls": n % 3, "lagged": 0} for n, name in enumerate(sorted(QUEUES))]}}.get(path)
        if found:
            return self.answer(200, found())
        one = re.fullmatch("agents/(.+)", path)
        body = detail(unquote(one[1])) if one else None
        return self.answer(200, body) if body else self.problem(404, "no such agent")

    def events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        queue = []
        LISTENERS.append(queue)
        try:
            while True:
                while queue:
                    number, event = queue.pop(0)
                    self.wfile.write(f"id: {number}\nevent: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
                self.wfile.write(b": alive\n\n")
                self.wfile.flush()
                time.sleep(0.2)
        except OSError:
            LISTENERS.remove(queue)


threading.Thread(target=change, daemon=True).start()
ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
