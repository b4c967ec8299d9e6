#!/usr/bin/python3
"""A fault in Python: the packets of a host cross only so many routers.

It needs Debian's python3-grpcio and python3-protobuf and nothing else. The
first half is the fault; copy the file and write your own there. The second half
speaks the contract (plugins/internal/faultpb/fault.proto) and ends the fault
when the agent is gone; it can stay as it is.
"""

import fcntl
import json
import os
import select
import signal
import sys
import tempfile
import threading
import time
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# ---- the fault ----------------------------------------------------------------

PROC = os.environ.get("HOPS_PROC", "/proc")  # tests read another one
KNOB = PROC + "/sys/net/ipv4/ip_default_ttl"


class Failure(Exception):
    """An error with a code of the contract; CODE says which."""

    CODE, field = "internal", ""


class Refused(Failure):
    """Prepare does not allow it; field is the parameter that is to blame."""

    CODE = "refused"

    def __init__(self, field, reason):
        super().__init__("refused: " + (field + ": " if field else "") + reason)
        self.field = field


class Unsupported(Failure):
    """The kernel lacks what the fault needs."""

    CODE = "unsupported"


class Gone(Failure):
    """The thing of the record is another one now; nothing was touched."""

    CODE = "gone"


class Changed(Failure):
    """The host is not as Prepare read it; nothing was touched."""

    CODE = "changed"


class Stuck(Failure):
    """Somebody else changed the same knob; theirs was left."""

    CODE = "stuck"


INFO = {
    "kind": "hops",
    "summary": "Lets the packets of a host cross only so many routers.",
    "contract_version": 1,
    "plugin_version": "1.0.0",
    "touches": ["net.ipv4.ip_default_ttl"],
    "conflict_keys": ["ip_default_ttl"],
    "needs": {"capabilities": ["CAP_NET_ADMIN"]},
    "protection": ["plugin-timer", "guardian", "journal"],
    "destroys": "none",
    "params": {
        "type": "object",
        "additionalProperties": False,
        "required": ["hops"],
        "properties": {
            "hops": {
                "type": "integer",
                "minimum": 1,
                "maximum": 255,
                "title": "a number of routers",
                "description": "Routers that a packet of the host crosses before it is thrown away",
                "examples": [9],
            }
        },
    },
}


def read():
    try:
        with open(KNOB) as f:
            text = f.read().strip()
    except FileNotFoundError:
        raise Unsupported("unsupported: there is no %s; the kernel needs IPv4" % KNOB)
    int(text)  # the kernel's own text is a number; anything else is a bug
    return text


def write(text):
    with open(KNOB, "w") as f:
        f.write(text)


def identity():
    """The network namespace, which is another one after each boot."""
    with open("/proc/sys/kernel/random/boot_id") as f:
        return "%s/%d" % (f.read().strip(), os.stat("/proc/self/ns/net").st_ino)


def find(change):
    if change["where"] != identity():
        raise Gone("target gone: the network namespace of the record is there no more")


def prepare(params, target):
    """Reads only. What it returns is all that revert will get."""
    for name in params:
        if name != "hops":
            raise Refused(name, "unknown parameter")
    hops = params.get("hops")
    if type(hops) is not int or not 1 <= hops <= 255:
        raise Refused("hops", "give a whole number from 1 to 255")
    if target.exempt and hops < 32:
        raise Refused("hops", "the control connection may cross more routers, and would be cut; give 32 or more")
    before = read()
    if before == str(hops):
        raise Refused("hops", "it is %s as it was; give another number" % before)
    return {"version": 1, "where": identity(), "before": before, "after": str(hops)}


def apply(change):
    find(change)
    now = read()
    if now == change["after"]:
        return  # again, or a renewal
    if now != change["before"]:
        raise Changed("changed since prepare: %s is %s, it was %s" % (KNOB, now, change["before"]))
    write(change["after"])


def observe(change):
    """What is read, never what was asked."""
    asked = [("hops", float(change["after"]), "routers")]
    try:
        find(change)
    except Gone as e:
        return "absent", "not in force", asked, [], str(e)
    now = read()
    achieved = [("hops", float(now), "routers")]
    if now == change["after"]:
        return "present", "in force", asked, achieved, ""
    return "absent", "not in force", asked, achieved, ""


def revert(change):
    find(change)
    now = read()
    if now == change["before"]:
        return  # never applied, or reverted before
    if now != change["after"]:
        raise Stuck("stuck: changed by another owner: %s is %s now" % (KNOB, now))
    write(change["before"])


# ---- the contract -------------------------------------------------------------

CONTRACTS = (1,)  # versions of the fault contract spoken here

# The messages of fault.proto. Fields have the numbers 1, 2, ... in this order;
# s text, b bytes, i int64, u uint64, d double, * repeated, else a message.
MESSAGES = {
    "Error": "s:code s:field s:message",
    "Cgroup": "s:path u:inode",
    "Target": "s:host s:boot_id s:netns_path u:netns_inode *Cgroup:cgroups *s:mounts s:power s:state_dir *s:exempt *s:exempt_names",
    "DescribeRequest": "",
    "DescribeResponse": "b:info Error:error",
    "PrepareRequest": "Target:target b:params",
    "PrepareResponse": "b:change Error:error",
    "Item": "s:id Target:target b:change",
    "ApplyRequest": "*Item:items i:at i:until",
    "Phase": "s:name i:at",
    "Applied": "s:id i:at i:woke i:done s:timer *Phase:phases Error:error",
    "ApplyResponse": "*Applied:applied Error:error",
    "ObserveRequest": "Target:target b:change",
    "Measure": "s:name d:value s:unit",
    "ObserveResponse": "s:state s:dose *Measure:asked *Measure:achieved s:detail Error:error",
    "RevertRequest": "Target:target b:change",
    "RevertResponse": "Error:error",
}
PACKAGE = "firedrill.fault.v1"


def messages():
    """Makes a class of each message."""
    field = descriptor_pb2.FieldDescriptorProto
    types = {"s": field.TYPE_STRING, "b": field.TYPE_BYTES, "i": field.TYPE_INT64, "u": field.TYPE_UINT64, "d": field.TYPE_DOUBLE}
    file = descriptor_pb2.FileDescriptorProto(name="fault.proto", package=PACKAGE, syntax="proto3")
    for name, fields in MESSAGES.items():
        m = file.message_type.add(name=name)
        for number, text in enumerate(fields.split(), 1):
            kind, field_name = text.split(":")
            f = m.field.add(name=field_name, number=number)
            f.label = field.LABEL_REPEATED if kind[0] == "*" else field.LABEL_OPTIONAL
            kind = kind.lstrip("*")
            f.type = types.get(kind, field.TYPE_MESSAGE)
            if kind not in types:
                f.type_name = ".%s.%s" % (PACKAGE, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    # Debian 12 has protobuf 3.21, later ones a function for it.
    make = getattr(message_factory, "GetMessageClass", None) or message_factory.MessageFactory(pool).GetPrototype
    return {name: make(pool.FindMessageTypeByName(PACKAGE + "." + name)) for name in MESSAGES}


M = messages()


def now():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def log(level, text, **more):
    """One line that the agent reads; it never fails and never blocks for long."""
    line = {"@level": level, "@message": text, "@module": "plugin", **more}
    try:
        os.write(2, (json.dumps(line) + "\n").encode())
    except OSError:
        pass  # nobody reads it: with the agent gone that is no reason to die


def error(e):
    if not isinstance(e, Failure):
        log("error", "unexpected", error=repr(e))
        return M["Error"](code="internal", message="%s: %s" % (type(e).__name__, e))
    return M["Error"](code=e.CODE, field=e.field, message=str(e))


def loads(text):
    try:
        value = json.loads(text or b"{}")
    except ValueError as e:
        raise Refused("", "decode parameters: %s; give one JSON object" % e)
    if not isinstance(value, dict):
        raise Refused("", "decode parameters: give one JSON object")
    return value


class Live:
    """What this process applied and has not reverted."""

    def __init__(self):
        self.lock = threading.Lock()
        self.entries = {}  # record -> [until, number of running applies]
        self.news = threading.Condition(self.lock)

    def begin(self, key, until):
        with self.lock:
            entry = self.entries.setdefault(key, [until, 0])
            before = entry[0]
            entry[0], entry[1] = until, entry[1] + 1
            return before

    def end(self, key, keep):
        with self.lock:
            entry = self.entries.get(key)
            if entry:
                entry[1] -= 1
                if keep is not None:
                    entry[0] = keep
            self.news.notify_all()

    def settled(self, key):
        """Waits until no apply of it runs: a revert that overtook it would leave the change behind."""
        with self.lock:
            while key in self.entries and self.entries[key][1] > 0:
                self.news.wait()

    def remove(self, key):
        with self.lock:
            self.entries.pop(key, None)

    def due(self, clock):
        with self.lock:
            return [k for k, e in self.entries.items() if e[0] <= clock], len(self.entries)


LIVE = Live()


def wait(at, until, context):
    """Sleeps until the instant at, or until the call is called off."""
    while now() < at:
        if not context.is_active():
            raise Failure("wait for the start: cancelled")
        time.sleep(min(max(at - now(), 0) / 1e9, 0.02))
    woke = now()
    if until and woke >= until:
        raise Failure("start: the end has passed; a process that stood still must not bring the fault back")
    if not context.is_active():
        raise Failure("wait for the start: cancelled")
    return woke


def describe_call(_request, _context):
    return M["DescribeResponse"](info=json.dumps(INFO).encode())


def prepare_call(request, _context):
    try:
        return M["PrepareResponse"](change=json.dumps(prepare(loads(request.params), request.target)).encode())
    except Exception as e:
        return M["PrepareResponse"](error=error(e))


def apply_call(request, context):
    at = request.at or now()
    out = M["ApplyResponse"]()
    for item in request.items:
        applied = out.applied.add(id=item.id, at=at, timer="timer")
        before = LIVE.begin(item.change, request.until)
        try:
            applied.woke = wait(at, request.until, context)
            apply(json.loads(item.change))
            LIVE.end(item.change, None)
        except Exception as e:
            applied.error.CopyFrom(error(e))
            LIVE.end(item.change, before)  # a renewal that failed keeps the old end
        applied.done = now()
        applied.woke = applied.woke or applied.done
    return out


def observe_call(request, _context):
    try:
        state, dose, asked, achieved, detail = observe(json.loads(request.change))
        out = M["ObserveResponse"](state=state, dose=dose, detail=detail)
        for to, measures in (out.asked, asked), (out.achieved, achieved):
            for name, value, unit in measures:
                to.add(name=name, value=value, unit=unit)
        return out
    except Exception as e:
        return M["ObserveResponse"](error=error(e))


def revert_key(key):
    LIVE.settled(key)
    try:
        revert(json.loads(key))
    except (Gone, Stuck):
        LIVE.remove(key)  # nothing of it is left to be reverted
        raise
    LIVE.remove(key)


def revert_call(request, _context):
    try:
        revert_key(request.change)
        return M["RevertResponse"]()
    except Exception as e:
        return M["RevertResponse"](error=error(e))


TERM = threading.Event()


def outlive():
    """Ends the process when its agent is gone and nothing of it is left on the host."""
    parent = os.getppid()
    try:
        watch = os.pidfd_open(parent)
        if os.getppid() == parent:
            while not select.select([watch], [], [], 0.2)[0]:
                if TERM.is_set() and LIVE.due(0)[1] == 0:
                    time.sleep(0.2)  # for the answer to the agent's last call
                    os._exit(0)
    except ProcessLookupError:
        pass  # it ended before it could be watched
    log("warn", "agent is gone")
    while True:
        due, all_of_them = LIVE.due((1 << 63) - 1 if TERM.is_set() else now())
        if all_of_them == 0:
            os._exit(0)
        if due:
            end(due)
        time.sleep(0.02)


def end(due):
    """Reverts under the lock that all hold who revert without having been asked."""
    lock = None
    try:
        if os.environ.get("FIREDRILL_LOCK"):
            lock = open(os.environ["FIREDRILL_LOCK"], "a")
            fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as e:
        log("error", "revert without lock", error=str(e))  # nobody else can take it either
    for key in due:
        try:
            revert_key(key)
            log("warn", "reverted without agent")
        except (Gone, Stuck) as e:
            log("warn", "ended without agent", result=str(e))
        except Exception as e:
            log("error", "revert without agent", error=repr(e))
    if lock:
        lock.close()


def handlers():
    def typed(call, name):
        return grpc.unary_unary_rpc_method_handler(
            call, request_deserializer=M[name + "Request"].FromString, response_serializer=M[name + "Response"].SerializeToString)

    def raw(call):
        return grpc.unary_unary_rpc_method_handler(call)

    calls = {"Describe": describe_call, "Prepare": prepare_call, "Apply": apply_call, "Observe": observe_call, "Revert": revert_call}
    yield grpc.method_handlers_generic_handler(PACKAGE + ".Fault", {n: typed(c, n) for n, c in calls.items()})
    serving = b"\x08\x01"  # HealthCheckResponse{status: SERVING}
    yield grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": raw(lambda request, context: serving)})
    yield grpc.method_handlers_generic_handler("plugin.GRPCController", {"Shutdown": raw(shutdown)})


def shutdown(_request, _context):
    TERM.set()
    return b""


def main():
    if "--describe" in sys.argv[1:]:
        print(json.dumps(INFO, indent=2))
        return
    if os.environ.get("FIREDRILL_PLUGIN") != "fault":
        sys.exit("hops.py is a plugin; hostagent starts it, and injector plugin test hops.py tries it out")
    signal.signal(signal.SIGTERM, lambda *_: TERM.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    theirs = [int(v) for v in os.environ.get("PLUGIN_PROTOCOL_VERSIONS", "1").split(",")]
    contract = max(set(theirs) & set(CONTRACTS), default=max(CONTRACTS))  # none in common: the agent says so
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    server.add_generic_rpc_handlers(tuple(handlers()))
    folder = os.environ.get("PLUGIN_UNIX_SOCKET_DIR") or tempfile.gettempdir()
    path = os.path.join(folder, "plugin-%d" % os.getpid())
    server.add_insecure_port("unix:" + path)
    server.start()
    threading.Thread(target=outlive, daemon=True).start()
    print("1|%d|unix|%s|grpc" % (contract, path), flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
