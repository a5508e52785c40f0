"""Signs in with SIPE, the Skype for Business client for libpurple, and tells what it shows.

    python3 sipe.py HOST:PORT USER SCRATCH      USER is user@domain, SCRATCH a folder for its settings

One line for each thing that happens, on standard output:

    connected
    buddy sip:agent1@demo.example available     the client shows this state from now on

and the client's own log on standard error. It runs until it is killed. Exit code 77: the client is not installed; the
reason is on standard output. libpurple has no bindings of its own, so this speaks to the C library.
"""

import ctypes
import glob
import os
import sys

POINTER = ctypes.c_void_p
CONDITION = ctypes.c_int
# libpurple calls this when a descriptor is ready: its data, the descriptor, what it is ready for.
READY = ctypes.CFUNCTYPE(None, POINTER, ctypes.c_int, CONDITION)
INPUT_ADD = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int, CONDITION, POINTER, POINTER)
# What GLib calls: for a channel (channel, condition, data), for a timer (data).
CHANNEL = ctypes.CFUNCTYPE(ctypes.c_int, POINTER, CONDITION, POINTER)
TIMER = ctypes.CFUNCTYPE(ctypes.c_int, POINTER)
# Level, category and text of a line of the log; whether such lines are wanted.
LOG = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p)
LOG_ENABLED = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p)

# PurpleInputCondition and GIOCondition.
PURPLE_READ, PURPLE_WRITE = 1, 2
IN, PRIORITY, OUT, ERROR, HANG_UP = 1, 2, 4, 8, 16
AVAILABLE = 2  # PURPLE_STATUS_AVAILABLE

# libxml2's xmlSAXHandler, in words of 8 bytes.
MAGIC, START_ELEMENT, INITIALIZED, START_ELEMENT_NS = 0xDEEDBEAF, 14, 27, 29


KEPT = []


def kept(what):
    """C keeps addresses only: this keeps what they lead to alive."""
    KEPT.append(what)
    return what


def missing(what):
    print("missing:", what, flush=True)
    sys.exit(77)


def library(name):
    try:
        return ctypes.CDLL(name, ctypes.RTLD_GLOBAL)
    except OSError as error:
        missing(error)


def returns_pointer(owner, *names):
    for name in names:
        getattr(owner, name).restype = POINTER


def address(function):
    return ctypes.cast(function, POINTER).value


def plugin_folder():
    folders = [os.environ.get("PURPLE_PLUGINS", "")]
    for pattern in ("/usr/lib/purple-2", "/usr/lib/*/purple-2", "/usr/lib64/purple-2", "/usr/local/lib/purple-2"):
        folders += glob.glob(pattern)
    for folder in folders:
        if folder and os.path.exists(os.path.join(folder, "libsipe.so")):
            return folder
    missing("libsipe.so, the plug-in of pidgin-sipe")


def repair_parser(path):
    """Makes libxml2 call SIPE's element handlers.

    The libxml2 of Debian 12 (2.9.14+dfsg-1.3~deb12u5) calls only handlers for namespaces where the table of handlers is
    marked as one of version 2. SIPE 1.25 marks it so and gives handlers of version 1: every document is read, without an
    error, as nothing at all, and the client shows no contact on any server. Without the mark each libxml2 calls them.
    """
    ctypes.CDLL(path)
    with open("/proc/self/maps", encoding="ascii") as maps:
        areas = [line.split() for line in maps if line.rstrip().endswith("/libsipe.so")]
    for area in areas:
        if not area[1].startswith("rw"):
            continue
        begin, end = (int(part, 16) for part in area[0].split("-"))
        words = (ctypes.c_uint64 * ((end - begin) // 8)).from_address(begin)
        for at in range(INITIALIZED, len(words) - 4):
            first = at - INITIALIZED
            if words[at] == MAGIC and words[first + START_ELEMENT] and not words[first + START_ELEMENT_NS]:
                words[at] = 1


class Loop:
    """GLib's main loop as libpurple wants it."""

    def __init__(self, glib):
        self.glib = glib
        self.watched = {}
        returns_pointer(glib, "g_io_channel_unix_new", "g_main_loop_new")
        glib.g_io_add_watch_full.argtypes = [POINTER, ctypes.c_int, CONDITION, POINTER, POINTER, POINTER]
        glib.g_io_channel_unref.argtypes = [POINTER]
        glib.g_main_loop_run.argtypes = [POINTER]
        self.on_channel = kept(CHANNEL(self.channel_is_ready))
        functions = (
            address(glib.g_timeout_add),
            address(glib.g_source_remove),
            address(kept(INPUT_ADD(self.input_add))),
            address(glib.g_source_remove),
            None,
            address(glib.g_timeout_add_seconds),
        )
        self.operations = kept((POINTER * 12)(*functions))

    def channel_is_ready(self, _channel, condition, number):
        function, data, descriptor = self.watched[number]
        broken = condition & (ERROR | HANG_UP)
        ready = PURPLE_READ if condition & IN or broken else 0
        ready |= PURPLE_WRITE if condition & OUT or broken else 0
        READY(function)(data, descriptor, ready)
        return 1

    def input_add(self, descriptor, condition, function, data):
        number = len(self.watched) + 1
        self.watched[number] = (function, data, descriptor)
        wanted = ERROR | HANG_UP
        wanted |= IN | PRIORITY if condition & PURPLE_READ else 0
        wanted |= OUT if condition & PURPLE_WRITE else 0
        channel = self.glib.g_io_channel_unix_new(descriptor)
        source = self.glib.g_io_add_watch_full(channel, 0, wanted, address(self.on_channel), number, None)
        self.glib.g_io_channel_unref(channel)
        return source

    def run(self):
        self.glib.g_main_loop_run(self.glib.g_main_loop_new(None, 0))


def start(purple, loop, plugins, scratch):
    purple.purple_util_set_user_dir(scratch.encode())
    # Whole messages in the log. It is not switched on, for then libpurple writes it on standard output.
    purple.purple_debug_set_verbose(1)
    purple.purple_debug_set_unsafe(1)
    purple.purple_debug_set_ui_ops(log_on_standard_error())
    purple.purple_core_set_ui_ops(kept((POINTER * 8)()))
    purple.purple_eventloop_set_ui_ops(loop.operations)
    purple.purple_plugins_add_search_path(plugins.encode())
    if not purple.purple_core_init(b"null-client"):
        sys.exit("libpurple does not start")
    returns_pointer(purple, "purple_blist_new")
    purple.purple_set_blist(POINTER(purple.purple_blist_new()))
    purple.purple_blist_load()


def log_on_standard_error():
    def write(_level, category, text):
        sys.stderr.write(f"{(category or b'').decode()}: {(text or b'').decode(errors='replace')}")
        sys.stderr.flush()

    log, enabled = kept(LOG(write)), kept(LOG_ENABLED(lambda _level, _category: 1))
    return kept((POINTER * 6)(address(log), address(enabled)))


def sign_in(purple, server, user):
    returns_pointer(purple, "purple_account_new", "purple_savedstatus_new", "purple_find_prpl")
    if not purple.purple_find_prpl(b"prpl-sipe"):
        missing("libpurple does not load the plug-in of pidgin-sipe")
    account = POINTER(purple.purple_account_new(f"{user},{user}".encode(), b"prpl-sipe"))
    purple.purple_account_set_password(account, b"unused")
    for name, value in (("server", server), ("transport", "tcp"), ("authentication", "ntlm")):
        purple.purple_account_set_string(account, name.encode(), value.encode())
    purple.purple_accounts_add(account)
    purple.purple_account_set_enabled(account, b"null-client", 1)
    purple.purple_savedstatus_activate(POINTER(purple.purple_savedstatus_new(None, AVAILABLE)))
    return account


class Shown:
    """What the client shows of its contacts; a line for each change."""

    def __init__(self, purple, account):
        self.purple, self.account = purple, account
        self.connected, self.states = False, {}
        names = ("purple_find_buddies", "purple_buddy_get_presence", "purple_presence_get_active_status")
        returns_pointer(purple, *names)
        purple.purple_status_get_id.restype = ctypes.c_char_p
        purple.purple_buddy_get_name.restype = ctypes.c_char_p
        self.callback = kept(TIMER(self.look))

    def buddies(self):
        entry = self.purple.purple_find_buddies(self.account, None)
        while entry:
            # A GSList: the data, the next one. A few of these leak; this process is short.
            data, entry = (POINTER * 2).from_address(entry)
            yield POINTER(data)

    def look(self, _data):
        if not self.connected and self.purple.purple_account_is_connected(self.account):
            self.connected = True
            print("connected", flush=True)
        for buddy in self.buddies():
            name = self.purple.purple_buddy_get_name(buddy).decode()
            presence = POINTER(self.purple.purple_buddy_get_presence(buddy))
            status = POINTER(self.purple.purple_presence_get_active_status(presence))
            state = self.purple.purple_status_get_id(status).decode()
            if self.states.get(name) != state:
                self.states[name] = state
                print("buddy", name, state, flush=True)
        return 1


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    server, user, scratch = sys.argv[1:]
    glib, purple = library("libglib-2.0.so.0"), library("libpurple.so.0")
    plugins = plugin_folder()
    try:
        repair_parser(os.path.join(plugins, "libsipe.so"))
    except OSError as error:
        missing(error)
    loop = Loop(glib)
    start(purple, loop, plugins, scratch)
    shown = Shown(purple, sign_in(purple, server, user))
    glib.g_timeout_add(50, shown.callback, None)
    loop.run()


main()
