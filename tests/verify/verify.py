"""Verifies a directory of P1 evidence, as `cargo p1 verify` does, and shares no code with it.

This file is for a reader who trusts none of P1's tools. It needs Python 3.11 and its standard library, the checked-in JSON Schemas
(statemachine/schemas) and the table of blockers (docs/blockers.md), nothing else, and is meant to be read from top to bottom. The
contract (docs/) says what evidence is; in short:

  object     a file of the evidence bucket. The directory holds a copy under the object's own key (`evidence/...`).
  document   an object that is canonical JSON: sorted keys, no spaces, only ASCII, one newline at the end.
  step       M3.A ... M3.J. Each leaves a folder of documents, and in it a summary.
  closure    a reference to a summary: key, version, SHA-256. A summary lists its documents and the closures before it.
  ledger     numbered records below `evidence/runs/<run>/ledger/`: who works on the run, and with which verdict it ended.
  verdict    `ADVANCE_TO_M4` (the run is pinned) or `HOLD_M3`. It stands in the phase summary, and in a COMMITTED record.
  entry      a later phase's question whether it may work on a run. Its directory holds the answer and what that rests on.
  kind       what an execution is: a run or a resumed run, which end with a verdict; one state of a run alone, or a rerun that was
             refused, which end before; a phase entry; or unfinished, if it ended in none of these ways.

What is checked: every file is what the list of objects says, and every document what its schema says; the verdict leads by hashes to every other file; the ledger is
in order; the verdict follows from what the steps found; the run's ids follow from its configuration; what is signed says
this and nothing else. The signature itself is left to openssl (docs/signature.md).

    python3 verify.py DIR...    prints one JSON object for each directory
    python3 verify.py -         the same for each line of standard input
    P1_SCHEMAS=FOLDER           where the schemas and blockers.md are, for a copy of this file that lies elsewhere

Exit status, of the last directory: 0 pinned (or: phase admitted) and intact, 1 held (or: phase refused; one state alone, rerun
refused, which pin nothing) and intact, 2 tampered or inconsistent, 3 incomplete (also: this program failed, and nothing is known), 4 usage; stopped by
a signal: 130 (Ctrl-C), 143.

What is read: nothing through a link, nothing of a pipe or a device; of an object at most 4 MiB, of a list 64 MiB, of all objects
together 256 MiB.
"""
import base64
import datetime
import functools
import hashlib
import json
import os
import pathlib
import re
import signal
import stat
import sys

# The grade of a finding is the exit status that it leads to; of several, the lowest counts.
TAMPERED = 2
INCOMPLETE = 3

# Every step's folder lies below the run control of its environment; M2's receipt does too, and is none of P1's documents. Runs lie
# beside it, so that no environment is called `runs`.
RUN_CONTROL = re.compile(r"evidence/(?!runs/)([a-z][a-z0-9_]{1,31})/run_control/")
# The environment of settings that name none, as those of revision 1.
DEFAULT_ENVIRONMENT = "dev_full"

STEPS = ["M3." + letter for letter in "ABCDEFGHIJ"]
# The name of each step's summary. The admission of a rerun is a part of M3.G with a summary of its own.
SUMMARIES = {step: f"m3{step[-1].lower()}_execution_summary" for step in STEPS}
SUMMARIES["ADMISSION"] = "m3g_admission_summary"
# The summary of a phase entry, which is M3.J's function's. No run rests on it.
ENTRY_SUMMARY = "m3j_entry_summary"

# The words that an execution may end with, and whether it succeeds with them, where only one of both can be.
OUTCOMES = {"VERDICT": None, "SINGLE_STATE": True, "RERUN_REFUSED": False, "PHASE_ADMITTED": None, "ENTRY_REFUSED": None}
# The kinds of an execution that end with a verdict, and those that are whole without one.
WITH_VERDICT = ("RUN", "RESUME")
ENDS_BEFORE = ("SINGLE_STATE", "RERUN_REFUSED")
# How many codes the cause of a failed execution names at most.
MOST_CODES = 200

# What a key of the evidence bucket, or of another one, lies in.
BUCKET = re.compile("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# A run id that was taken is followed by the same with one of the suffixes _01 to _20.
RUN_SUFFIXES_BEYOND = [[f"{number:02}"] for number in range(21, 100)]

# What a scenario's id can follow from. The fields that do are listed in the seed of the run's identity.
SCENARIO_FIELDS = [
    "oracle_input_manifest_uri", "oracle_input_manifest_sha256", "oracle_required_output_ids", "oracle_sort_key_by_output_id",
    "config_digest",
]

# The ids of a run, as documents name them.
RUN_IDS = ["platform_run_id", "scenario_run_id", "config_digest"]

# The revisions of evidence that this file knows (`schema_version`), and the fields that revision 2 added to an artifact. A
# dotted name is a field of an object inside, in a list that of every element.
REVISIONS = [1, 2]
ADDED_IN_2 = {
    **{f"m3{letter}_execution_summary": ["secret_scan"] for letter in "abcdefghij"},
    "m3g_admission_summary": ["secret_scan"],
    "m3j_entry_summary": ["secret_scan"],
    "m3b_run_id_generation_snapshot": ["platform_run_id_regex"],
    "m3_execution_summary": ["completion_checklist.status"],
    "m3a_observations": ["settings.environment"],
    "m3b_observations": ["settings.environment"],
    "m3c_observations": ["settings.environment"],
    "m3d_observations": ["settings.environment"],
    "m3e_observations": ["settings.environment"],
    "m3f_observations": ["settings.environment"],
    "m3g_observations": ["settings.environment"],
    "m3g_admission_observations": ["settings.environment"],
    "m3j_observations": ["settings.environment"],
    "m3j_entry_observations": ["settings.environment"],
    "m3h_observations": ["observed.databricks", "settings.environment"],
    "m3h_phase_budget_envelope": [
        "phase_window_end_utc", "phase_window_start_utc", "window_end_utc", "window_start_utc",
    ],
    "m3h_phase_cost_outcome_receipt": ["phase_window_end_utc", "phase_window_start_utc"],
    "m3i_blocker_register": ["resolved_blockers"],
    "m3i_observations": ["observed.earlier", "settings.environment"],
}
# What revision 1 did not have at all.
NEW_IN_2 = ["m3j_entry_observations", "m3j_entry_summary", "m3j_phase_entry"]
# The codes of an admission whose documents could not be published, or are not there afterwards.
NOT_PUBLISHED = ("M3G-B7", "M3G-B8")
# The version of the rules by which P1 looks for secrets.
SECRET_RULES = 1

# What people make as well; it has a version of its own.
BILLING = "p1_billing_artifact"

# What later phases gate on in the phase summary. Evidence of revision 1 has none of these fields.
GATE_FIELDS = ["m4_entry_ready", "blocker_count", "blockers"]

# A record of the ledger has these fields; a COMMITTED one has a verdict and a reference to the phase summary as well.
RECORD_FIELDS = {
    "schema_version", "artifact", "phase_id", "platform_run_id", "sequence", "kind", "holder", "holder_stamp_utc",
}
EXECUTION_ARN = re.compile(r"arn:aws[-a-z]*:states:[a-z0-9-]+:[0-9]{12}:execution:[^:]{1,80}:[^:]{1,80}")

# What a signed verdict has beside it: the public key, and two envelopes (DSSE), each around a statement of its own kind.
PUBLIC_KEY = "m3j_signing_key.pem"
VERDICT_STATEMENT = "urn:p1:predicate:verdict:1"
SUMMARY_STATEMENT = "https://slsa.dev/verification_summary/v1"
ENVELOPES = {"m3j_verdict.dsse.json": VERDICT_STATEMENT, "m3j_vsa.dsse.json": SUMMARY_STATEMENT}
SIDECARS = [PUBLIC_KEY, *ENVELOPES]

# Files that operating systems leave in a folder that somebody has looked into.
SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini")

# The largest integer that every JSON reader keeps exactly.
LARGEST_INTEGER = 2**53 - 1

# How many reruns are followed back for what they had resolved, and how many blockers a register lists.
MOST_RERUNS = 100
MOST_RESOLVED = 300

DOCUMENT_LIMIT = 1 << 20
LIST_LIMIT = 64 << 20
# The largest object that P1 writes or reads, and how much is read of all objects.
OBJECT_LIMIT = 4 << 20
MOST_BYTES = 256 << 20
# The longest key in bytes that S3 allows.
LONGEST_KEY = 1024
# The files that the mirror writes beside the objects.
LISTS = ("objects.json", "object_versions.json", "execution_history.json")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def canonical(value):
    """The canonical bytes of a JSON value, without the newline that a document ends with."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def integer(text):
    """Reads a number; evidence holds integers only."""
    if not text.lstrip("-").isdigit() or abs(int(text)) > LARGEST_INTEGER:
        raise ValueError(f"holds the number {text}")
    return int(text)


def kind_of(path):
    """What lies at a path, by its mode: a link is a link. None if nothing does."""
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def is_text(name):
    """Whether a file's name is text. Python puts half surrogate pairs where its bytes are none."""
    return not any("\ud800" <= c <= "\udfff" for c in name)


def keys_of(objects):
    """The keys that objects.json lists. The list is judged later; here it only says what is read first."""
    try:
        return {entry["key"] for entry in json.loads(objects)}
    except (ValueError, TypeError, KeyError, RecursionError):
        return set()


def said_in(outcome):
    """The object in the output or cause of an execution; a cause may also be plain words."""
    try:
        said = json.loads(outcome or "{}")
    except ValueError:
        said = {}
    return said if isinstance(said, dict) else {}


def file_name(key):
    return key.rsplit("/", 1)[-1]


def folder_of(key):
    """The folder of a key, with its last slash."""
    return key.rsplit("/", 1)[0] + "/"


def environment_of(key):
    """The environment in whose run control a key lies, if it lies in one."""
    place = RUN_CONTROL.match(key)
    return place and place[1]


def is_m2_receipt(key):
    return RUN_CONTROL.sub("", key, count=1).startswith("m2j_")


def ids_of(document):
    """Those ids of the run that the document has."""
    return {name: document[name] for name in RUN_IDS if name in document}


def identity_hash(execution_arn, step):
    """The last part of a phase execution id: it follows from the execution and the step."""
    return sha256(f"{execution_arn}\n{step}".encode())[:12]


def phase_execution(execution_arn, stamp, step):
    """The id of a step's phase execution. The stamp is compact."""
    letter = "g" if step == "ADMISSION" else step[-1].lower()
    return f"m3{letter}_{stamp}_{identity_hash(execution_arn, step)}"


def read_canonical(data):
    """The JSON value that has these canonical bytes, or None and what is wrong with them."""
    try:
        value = json.loads(data.decode("utf-8"), parse_float=integer, parse_int=integer, parse_constant=integer)
        # Fails where a text holds half of a surrogate pair.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
        # A field that stands twice, other spacing and another order all give other bytes here.
        same = canonical(value) + b"\n" == data
        return (value, None) if same else (None, "is not canonical JSON of its shape")
    except (ValueError, RecursionError) as error:
        return None, str(error)


# The same, for documents that are small enough to be kept. Nobody changes a value that was read.
SMALL = 1 << 16
read_small = functools.lru_cache(maxsize=512)(read_canonical)


def stamp_of(instant):
    """An instant as it stands in ids."""
    return instant.replace("-", "").replace(":", "")


def count_strings(value):
    """The keys and the texts of a JSON value."""
    if isinstance(value, str):
        return 1
    if isinstance(value, list):
        return sum(count_strings(item) for item in value)
    if isinstance(value, dict):
        return sum(1 + count_strings(item) for item in value.values())
    return 0


def is_time(text):
    """Whether the digits in a text are those of a real time: year, month, day, hour, minute, second."""
    digits = re.sub("[^0-9]", "", text)
    try:
        year, *rest = int(digits[:4]), *(int(digits[at:at + 2]) for at in range(4, 14, 2))
        # The calendar repeats after 400 years, and Python's begins with the year 1.
        datetime.datetime(2000 + year % 400, *rest)
        return True
    except ValueError:
        return False


def is_control(character):
    return ord(character) < 32 or 127 <= ord(character) < 160


def is_key(text):
    """Whether a text is the key of an object as P1 writes them."""
    parts = text.split("/")
    return len(text.encode()) <= 1024 and not {"", ".", ".."} & set(parts) and not any(map(is_control, text))


def is_bucket(text):
    is_address = text.count(".") == 3 and text.replace(".", "").isdigit()
    return bool(BUCKET.fullmatch(text)) and ".." not in text and not is_address


def is_uri(text):
    bucket, _, key = text.removeprefix("s3://").partition("/")
    return text.startswith("s3://") and is_bucket(bucket) and is_key(key)


def is_execution(text):
    """Whether the two names at the end of an ARN are such as Step Functions accepts."""
    names = text.split(":")[6:]
    return len(names) == 2 and all(
        not is_control(character) and not character.isspace() and character not in "<>{}[]?*\"#%\\^|~`$&,;:/"
        for name in names for character in name
    )


def are_settings(settings):
    """Whether a deployment could have these settings. All of them are texts."""
    uris = settings["stack_outputs_uris"].split(",") if settings["stack_outputs_uris"] else []
    uses_artifact = settings["cost_source"] == "billing_artifact"
    signs = settings["signing"] in ("kms", "local_key")
    return (
        re.fullmatch("[a-zA-Z0-9_-]{1,64}", settings["deployment"]) is not None
        and re.fullmatch("(?!runs$)[a-z][a-z0-9_]{1,31}", settings.get("environment", DEFAULT_ENVIRONMENT)) is not None
        and is_bucket(settings["evidence_bucket"])
        and all(map(is_uri, [settings["registry_uri"], *uris]))
        and (uses_artifact or settings["cost_source"] == "cost_explorer")
        and (is_uri(settings["billing_artifact_uri"]) if uses_artifact else not settings["billing_artifact_uri"])
        and (signs or settings["signing"] == "off")
        and bool(settings["signing_key"]) == signs
    )


# What the definition of this name means beyond what a schema can say of it.
DEFINITIONS = {
    "Stamp": is_time,
    "PhaseExecutionId": lambda text: is_time(text.split("_")[1]),
    "PlatformRunId": lambda text: is_time(text.split("_")[1]) and text.split("_")[2:] not in [["00"], *RUN_SUFFIXES_BEYOND],
    "S3Key": is_key,
    "BucketName": is_bucket,
    "S3Uri": is_uri,
    "ExecutionArn": is_execution,
    "Settings": are_settings,
    "ClosureRef": lambda closure: closure["step"] in [*SUMMARIES, "ENTRY"],
}


def each_has(value, path, expected):
    """Whether every object that the path leads into has its last field; or, where that is expected, none has."""
    if isinstance(value, list):
        return all(each_has(item, path, expected) for item in value)
    if not isinstance(value, dict):
        return True
    if len(path) == 1:
        return (path[0] in value) == expected
    return each_has(value.get(path[0]), path[1:], expected)


SCHEMA_TYPES = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "null": lambda value: value is None,
}
# What the schemas use, and what says nothing about a value. Any other word would be passed over without this list.
SCHEMA_WORDS = set("""
    $ref type const enum pattern minimum maximum properties required additionalProperties items minItems maxItems oneOf anyOf
    $schema $id $defs title description default
""".split())


def fits(value, schema, root):
    """Whether a value is what a JSON Schema says. `root` is the whole schema, whose `$defs` the references name."""
    if isinstance(schema, bool):
        return schema
    if set(schema) - SCHEMA_WORDS:
        raise ValueError(f"the schema has words that are not known here: {sorted(set(schema) - SCHEMA_WORDS)}")
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        if not fits(value, root["$defs"][name], root) or not DEFINITIONS.get(name, lambda _: True)(value):
            return False
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(SCHEMA_TYPES[name](value) for name in types):
        return False
    # `True == 1` in Python.
    if "const" in schema and canonical(value) != canonical(schema["const"]):
        return False
    if "enum" in schema and canonical(value) not in [canonical(allowed) for allowed in schema["enum"]]:
        return False
    if "oneOf" in schema and sum(fits(value, choice, root) for choice in schema["oneOf"]) != 1:
        return False
    if "anyOf" in schema and not any(fits(value, choice, root) for choice in schema["anyOf"]):
        return False
    if isinstance(value, str) and "pattern" in schema:
        # In Python `$` matches before a last newline as well.
        return re.search(re.sub(r"\$$", r"\\Z", schema["pattern"]), value) is not None
    if SCHEMA_TYPES["integer"](value):
        return schema.get("minimum", value) <= value <= schema.get("maximum", value)
    if isinstance(value, list):
        in_bounds = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        return in_bounds and all(fits(item, schema.get("items", True), root) for item in value)
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties", True)
        return set(schema.get("required", [])) <= set(value) and all(
            fits(item, properties.get(name, others), root) for name, item in value.items()
        )
    return True


class Schemas:
    """The checked-in schemas of revision 2, one for each artifact."""

    def __init__(self):
        here = pathlib.Path(__file__).resolve()
        self.folder = pathlib.Path(os.environ.get("P1_SCHEMAS", here.parents[2] / "statemachine/schemas"))
        self.read = {}
        # Answers by hash: where many directories are verified at once, most documents stand in all of them.
        self.known = {}
        self.taxonomy = self.folder / "blockers.md"
        if "P1_SCHEMAS" not in os.environ:
            self.taxonomy = here.parents[2] / "docs/blockers.md"

    def are_there(self):
        return (self.folder / "p1_ledger_record.schema.json").is_file() and self.taxonomy.is_file()

    @functools.cached_property
    def blockers(self):
        """What the page of blockers says of every code: severity, phase code and remedy."""
        row = re.compile(r"\| `(M3[A-J]-[A-Z][0-9])`°? \| (S[12]) \| `([^`]*)` \| .* \| ((?:[^|\\]|\\.)*) \|")
        rows = filter(None, map(row.fullmatch, self.taxonomy.read_text(encoding="utf-8").splitlines()))
        return {code: (severity, phase, remedy.replace("\\|", "|")) for code, severity, phase, remedy in (r.groups() for r in rows)}

    def is_severe(self, code):
        """Whether a blocker is of severity S1: with one the rollup's word is NO_GO_RESET_REQUIRED."""
        return self.blockers[code][0] == "S1"

    def allow(self, document, data):
        """Whether there is a schema of the document's name, and the document is what it says. `data` are its bytes."""
        key = sha256(data)
        if key not in self.known:
            self.known[key] = self.check(document)
        return self.known[key]

    def check(self, document):
        name, version = document.get("artifact"), document.get("schema_version")
        if not isinstance(name, str) or not re.fullmatch("[a-z0-9_]+", name):
            return False
        # Revision 1 grew while it was written, and its schemas describe its last days; what its documents must have stands below.
        if version == 1 and name != BILLING:
            return True
        path = self.folder / f"{name}.schema.json"
        if path not in self.read:
            self.read[path] = json.loads(path.read_text()) if path.is_file() else False
        return fits(document, self.read[path], self.read[path])


SCHEMAS = Schemas()


class Check:
    """The check of one directory. What is wrong stands in `findings` afterwards, as (grade, subject, detail)."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        # A dictionary keeps the order, and keeps what is found twice once.
        self.findings = {}

        # Findings about the mirror itself.
        self.of_mirror = set()
        # What the directory holds: bytes by key, entries of objects.json by key, documents by key.
        self.files = {}
        self.listed = {}
        self.docs = {}
        # Files that are there and were not read: they are too large, or there are too many. And those that could not be.
        self.unread = {}
        self.unreadable = set()
        # Objects of others: files of operating systems and what the bucket named, then what was found below the run's
        # root, and how many more the bucket counted without naming them.
        self.beside = set()
        self.foreign = set()
        self.foreign_unnamed = 0

        # What the execution's history says: the execution, and the closure that it ended with.
        self.execution_arn = None
        self.final_closure = None
        # The word for its end, and everything that was said with it.
        self.outcome = None
        self.said = {}
        # For a phase entry: whether the phase was admitted.
        self.admitted = None

        # What the execution is; the key of the summary that it ended with, if that is no verdict; the closure of it.
        self.kind = None
        self.last_key = None
        self.ended_with = None

        # What the walk finds: every key that something intact names, the closures with their summaries, the hashes that
        # were compared, and references into other buckets, which the directory does not hold.
        self.named = set()
        self.closures = []
        self.hashes = 0
        self.outside = set()
        self.bucket = None
        # The records of the ledger, by key and in order; the COMMITTED one that counts; the key of the phase summary.
        self.records = {}
        self.ledger = []
        # The records of ids that M3.B reserved and gave up, because somebody else's objects lay there.
        self.given_up = {}
        self.ledger_has_gap = False
        self.committed = None
        self.phase_key = None

        # The run control that all keys lie in; the first one, where they lie in more.
        self.run_control = f"evidence/{DEFAULT_ENVIRONMENT}/run_control/"

        # The result: the run's ids, and whether it advances (None without a phase summary).
        self.run = {}
        self.advances = None

    def check(self):
        self.read_files()
        objects = self.read_json_file("objects.json", list)
        history = self.read_json_file("execution_history.json", dict)
        self.check_versions()
        self.check_object_list(objects)
        self.read_documents()
        self.read_history(history)
        if self.is_entry():
            self.kind = "PHASE_ENTRY"
            self.check_entry()
            return
        self.walk()
        phase, last = self.docs.get(self.phase_key), self.last_summary()
        if phase or last:
            self.check_meaning(phase, last)

    def status(self):
        """The exit status."""
        if self.findings:
            return min(grade for grade, _, _ in self.findings)
        if self.kind in ENDS_BEFORE:
            return 1 if self.last_summary() else INCOMPLETE
        known = self.advances if self.kind != "UNFINISHED" else None
        return {True: 0, False: 1, None: INCOMPLETE}[known]

    # Findings

    def report(self, subject, detail, grade=TAMPERED):
        self.findings[grade, subject, detail] = None

    def report_of_mirror(self, subject, detail, grade=TAMPERED):
        """What is wrong with the mirror itself. It counts for other writers' objects, too."""
        self.report(subject, detail, grade)
        self.of_mirror.add((grade, subject, detail))

    def expect(self, subject, what, found, expected):
        if found != expected:
            self.report(subject, f"{what} is not what it must be")

    # Reading the directory

    def read_files(self):
        for name in LISTS:
            if (kind := kind_of(self.root / name)) is not None:
                self.read_file(name, self.root / name, kind, LIST_LIMIT)
        # Where an object has several versions, the mirror keeps the others here.
        self.expect("other_versions", "a further version", kind_of(self.root / "other_versions"), None)
        kind = kind_of(self.root / "evidence")
        if kind is not None and not stat.S_ISDIR(kind):
            self.report("evidence", "is no ordinary folder")
        objects = self.walk_folders() if kind is not None and stat.S_ISDIR(kind) else []
        # What objects.json lists is read first, so that nothing beside it uses up what may be read.
        listed = keys_of(self.files.get("objects.json", b""))
        left = MOST_BYTES
        for key, path, kind in sorted(objects, key=lambda found: (found[0] not in listed, found[0])):
            left -= self.read_file(key, path, kind, OBJECT_LIMIT, left)

    def walk_folders(self):
        """Every ordinary file below `evidence/`. No link is followed, and no folder below a path that is too long."""
        found = []
        folders = [("evidence", self.root / "evidence")]
        while folders:
            folder, path = folders.pop()
            try:
                entries = list(os.scandir(path))
            except OSError as error:
                self.cannot_read(folder + "/", error)
                continue
            for entry in entries:
                key = f"{folder}/{entry.name}"
                try:
                    kind = entry.stat(follow_symlinks=False).st_mode
                except OSError as error:
                    self.cannot_read(key, error)
                    continue
                if not is_text(entry.name) or not (stat.S_ISDIR(kind) or stat.S_ISREG(kind)):
                    self.is_no_file(key)
                elif len(key.encode()) > LONGEST_KEY:
                    self.report(key, "has a longer path than a key of S3 can have")
                elif stat.S_ISDIR(kind):
                    folders.append((key, entry.path))
                else:
                    found.append((key, entry.path, kind))
        return found

    def read_file(self, key, path, kind, limit, left=None):
        """Reads a file into `files`, if it has at most `limit` bytes and there are as many `left`. Gives how many it has."""
        if not stat.S_ISREG(kind):
            self.is_no_file(key)
            return 0
        allowed = limit if left is None else min(limit, left)
        try:
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                data = file.read(allowed + 1) if size <= allowed else b""
        except OSError as error:
            self.cannot_read(key, error)
            return 0
        size = max(size, len(data))
        if size <= allowed:
            self.files[key] = data
            return size
        too_large = size > limit
        found = (f"has {size} bytes, and is not read", TAMPERED) if too_large else ("is not read", INCOMPLETE)
        if key in LISTS:
            self.unreadable.add(key)
            self.report(key, *found)
        else:
            self.unread[key] = found
        return 0

    def is_no_file(self, key):
        self.unreadable.add(key)
        self.report(key, "is no ordinary file with a readable name")

    def cannot_read(self, key, error):
        self.unreadable.add(key)
        self.report(key, f"cannot be read: {error.strerror}", INCOMPLETE)

    def parse(self, name, data, kind, limit=DOCUMENT_LIMIT):
        """The JSON value of these bytes, if it is of this kind and these are its canonical bytes; else None."""
        # Where many directories are verified at once, most documents stand in all of them.
        value, problem = (read_small if len(data) < SMALL else read_canonical)(data)
        if problem is None and isinstance(value, kind) and len(data) <= limit:
            return value
        self.report(name, problem or "is not canonical JSON of its shape")
        return None

    def read_json_file(self, name, kind):
        """A file that the mirror writes beside the evidence."""
        if name not in self.files:
            if name not in self.unreadable:
                self.report(name, "is not there", INCOMPLETE)
            return None
        return self.parse(name, self.files[name], kind, LIST_LIMIT)

    def check_versions(self):
        """What the bucket said of each key's history. Mirrors of earlier versions of the tool do not have the file."""
        name = "object_versions.json"
        versions = None
        if name in self.files:
            versions = self.parse(name, self.files[name], dict, LIST_LIMIT)
        if versions and not self.has_shape_of_versions(versions):
            self.report(name, "is of another shape")
            versions = None
        foreign = {"count": 0, "keys": []}
        if versions:
            for entry in versions["keys"]:
                # Evidence is written once and never deleted.
                if entry["versions"] > 1 or entry["delete_markers"] != 0:
                    self.report_of_mirror(entry["key"], "was overwritten or deleted")
            if versions["ghosts"]:
                self.report("ledger", "a record names a holder without evidence", INCOMPLETE)
            foreign = versions["foreign"]

        # From here on, `files` are the objects of the evidence bucket.
        self.files = {key: data for key, data in sorted(self.files.items()) if key.startswith("evidence/")}
        system_files = {key for key in (*self.files, *self.unread) if file_name(key) in SYSTEM_FILES}
        self.beside = set(foreign["keys"]) | system_files
        self.foreign_unnamed = foreign["count"] - len(foreign["keys"])
        self.files = {key: data for key, data in self.files.items() if key not in system_files}
        self.unread = {key: found for key, found in self.unread.items() if key not in system_files}

    @staticmethod
    def has_shape_of_versions(versions):
        return (
            set(versions) == {"keys", "foreign", "ghosts"}
            and set(versions["foreign"]) == {"count", "keys"}
            and isinstance(versions["keys"], list)
            and all(set(entry) == {"key", "versions", "delete_markers"} for entry in versions["keys"])
        )

    def check_object_list(self, objects):
        """Every object is listed once, with the hash and the length that its file has."""
        if not objects:
            return
        for entry in objects:
            key = entry["key"]
            data = self.files.get(key)
            self.expect("objects.json", "its shape", set(entry), {"key", "version_id", "etag", "sha256", "bytes"})
            if key in self.listed:
                self.report_of_mirror(key, "is listed twice")
            self.listed[key] = entry
            if key in self.unread:
                # What is listed is no other writer's.
                self.report(key, *self.unread[key])
            elif data is None:
                self.report_of_mirror(key, "is not what objects.json lists", INCOMPLETE)
            elif (sha256(data), len(data)) != (entry["sha256"], entry["bytes"]):
                self.report_of_mirror(key, "is not what objects.json lists")
        for key in (*self.files, *self.unread):
            if key not in self.listed:
                self.report(key, "is a foreign file")

    def read_documents(self):
        environments = sorted({environment_of(key) for key in self.files} - {None})
        self.expect("evidence/", "the number of its environments", len(environments) < 2, True)
        if environments:
            self.run_control = f"evidence/{environments[0]}/run_control/"
        for key, data in self.files.items():
            if not key.endswith(".json") or key.endswith(tuple(ENVELOPES)) or is_m2_receipt(key):
                continue
            document = self.parse(key, data, dict)
            if document is not None:
                self.docs[key] = document
        for key, document in self.docs.items():
            self.expect(key, "its folder", self.is_in_its_folder(key, document), True)
            self.expect(key, "its revision", self.has_fields_of_its_revision(document), True)
            self.expect(key, "its shape", SCHEMAS.allow(document, self.files[key]), True)
        for key, document in self.docs.items():
            if key.startswith(self.run_control) and document.get("artifact") == "m3a_handle_closure_snapshot":
                self.check_handle_verification(key, document)

        settings_by_start = {}
        for key, document in self.docs.items():
            # Steps write below run control; elsewhere others may write what they like.
            if not key.startswith(self.run_control):
                continue
            # Evidence of the first days of revision 1 names no settings.
            if key.endswith("observations.json") and document.get("schema_version", 0) > 1:
                self.expect(key, "whether it names its settings", "settings" in document, True)
            settings = document.get("settings")
            if isinstance(settings, dict):
                named = settings.get("environment", DEFAULT_ENVIRONMENT)
                self.expect(key, "its environment", environment_of(key), named)
                # All steps of one execution have its start in their ids, and its settings.
                start = str(document.get("phase_execution_id")).split("_")[1:2]
                self.expect(key, "its settings", settings, settings_by_start.setdefault(tuple(start), settings))

    @staticmethod
    def has_fields_of_its_revision(document):
        name, version = document.get("artifact"), document.get("schema_version")
        if name == BILLING:
            return version == 1
        if name in NEW_IN_2 and version == 1:
            return False
        fields = [field.split(".") for field in ADDED_IN_2.get(name, [])]
        return version in REVISIONS and all(each_has(document, field, version >= 2) for field in fields)

    def is_in_its_folder(self, key, document):
        """A document of a step names the phase execution whose folder it lies in; those of a run lie below its root."""
        if "artifact" not in document:
            return False
        if "phase_execution_id" in document:
            return key.startswith(f"{self.run_control}{document['phase_execution_id']}/")
        return key.startswith((self.run_control, "evidence/runs/"))

    def check_handle_verification(self, key, document):
        """How M3.A verified the handles: results, methods and verdict fit together."""
        results = document["verification_results"]
        passes = [result.get("pass") for result in results]
        for result, passed in zip(results, passes):
            # `pass` is missing where nothing was configured to verify. Revision 1 has no `status`.
            derived = {True: "PASS", False: "FAIL"}.get(passed, "none")
            allowed = {True: ["PASS"], False: ["FAIL", "INCONCLUSIVE"], None: ["NOT_CONFIGURED"]}.get(passed, [])
            status = result.get("status", derived)
            self.expect(key, f"the status of {result['check']}", status in allowed, True)
        self.expect(key, "its verdict", document["overall_pass"] and False in passes, False)

        methods = document.get("verification_method_by_handle")
        if methods is None:  # revision 1
            return
        self.expect(key, "the list of its methods", sorted(methods), sorted(document["required_handles"]))
        of_unresolved = {methods.get(handle) for handle in document["unresolved_handles"]}
        self.expect(key, "a handle without a value", of_unresolved <= {"not_verified"}, True)
        unverified = "not_verified" in methods.values()
        self.expect(key, "a verified handle", document["overall_pass"] and unverified, False)

    def read_history(self, history):
        """The execution, and the closure in its output (after an advance) or in its cause (after a hold)."""
        history_or_empty = history or {}
        last = (history_or_empty.get("events") or [{}])[-1]
        details = dict(last.get("executionSucceededEventDetails", {}))
        details.update(last.get("executionFailedEventDetails", {}))
        outcome = said_in(details.get("output") or details.get("cause"))
        self.execution_arn = history_or_empty.get("execution_arn")
        self.final_closure = outcome.get("closure")
        self.said = outcome
        word = outcome.get("outcome")
        succeeded = "output" in last.get("executionSucceededEventDetails", {})
        is_known = word in OUTCOMES and OUTCOMES[word] in (None, succeeded)
        self.outcome = word if is_known and self.final_closure else None
        self.admitted = {"PHASE_ADMITTED": True, "ENTRY_REFUSED": False}.get(self.outcome)
        if history is not None:
            name = "execution_history.json"
            self.expect(name, "its shape", set(history), {"execution_arn", "events"})
            # Every end that P1 gives to an execution has a word, and a closure but for the delivery of an event that came before.
            is_told = is_known == bool(self.final_closure) and (is_known or word == "DUPLICATE_DELIVERY" or not succeeded)
            self.expect(name, "its outcome", is_told, True)
            if not self.outcome:
                self.report(name, "the execution ended without a verdict", INCOMPLETE)
                self.final_closure = None

    # What the execution is

    @functools.cached_property
    def closings(self):
        """The steps' summaries that are there: (step, last part of the phase execution's id) -> (its id, key of the summary)."""
        steps = {name + ".json": step for step, name in SUMMARIES.items()}
        found = {}
        for key in self.files:
            folder, _, name = key.removeprefix(self.run_control).partition("/")
            if key.startswith(self.run_control) and name in steps and re.fullmatch("m3[a-j]_[0-9TZ]+_[0-9a-f]{12}", folder):
                found[steps[name], folder[-12:]] = (folder, key)
        return found

    def summaries_of(self, execution_arn):
        """The keys of the summaries that an execution left, by step."""
        found = {step: self.closings.get((step, identity_hash(execution_arn, step))) for step in SUMMARIES}
        return {
            step: place[1] for step, place in found.items()
            if place and place[0] == phase_execution(execution_arn, place[0].split("_")[1], step)
        }

    def find_kind(self):
        """What the execution is, and the key of the summary that it ended with, if that is no verdict.

        What it left decides. The engine's word does so only where nothing is left that says otherwise.
        """
        if self.execution_arn is None:
            return self.find_kind_without_history()
        own = self.summaries_of(self.execution_arn)
        commits = [record for record in self.ledger if record["kind"] == "COMMITTED" and record["holder"] == self.execution_arn]
        steps = sorted(set(own) - {"ADMISSION"})
        if commits or "M3.J" in own or self.outcome == "VERDICT":
            return "RESUME" if "ADMISSION" in own else "RUN", None
        if self.outcome == "SINGLE_STATE":
            return "SINGLE_STATE", own[steps[-1]] if steps else None
        if self.outcome == "RERUN_REFUSED":
            return "RERUN_REFUSED", own.get("ADMISSION")
        return "UNFINISHED", own[steps[-1]] if steps else own.get("ADMISSION")

    def find_kind_without_history(self):
        """The same for a directory that lost its history, so that it is not whole."""
        admissions = [place for (step, _), place in self.closings.items() if step == "ADMISSION"]
        refused = [(folder, key) for folder, key in admissions if self.docs.get(key, {}).get("overall_pass") is False]
        if refused:
            return "RERUN_REFUSED", max(refused, key=lambda found: found[0].split("_")[1])[1]
        for record in reversed(self.ledger):
            if record["kind"] == "COMMITTED":
                break
            own = self.summaries_of(record["holder"])
            receipt = self.docs.get(folder_of(own.get("ADMISSION", "/")) + "m3g_admission_receipt.json", {})
            steps = sorted(set(own) - {"ADMISSION"})
            if receipt.get("only") and steps:
                return "SINGLE_STATE", own[steps[-1]]
        return "RUN", None

    def last_summary(self):
        """The summary that the execution ended with, if that is no verdict and it was reached."""
        found = [document for closure, document in self.closures if closure == self.ended_with]
        return found[0] if found else None

    # From the verdict to every other file

    def follow(self, reference, by):
        """Compares an object with a reference to it in the document `by`. True if its bytes are the right ones."""
        key = reference["key"]
        if self.bucket not in (None, reference["bucket"]):
            # An input of the run: only its hash is evidence.
            self.outside.add((reference["bucket"], key, reference["version_id"]))
            return False
        self.named.add(key)
        data = self.files.get(key)
        if data is None:
            self.report(key, f"is not what {by} names", INCOMPLETE)
            return False
        self.hashes += 1
        if sha256(data) != reference["sha256"] or reference.get("bytes", len(data)) != len(data):
            self.report(key, f"is not what {by} names")
            return False
        listed = self.listed.get(key)
        if listed:
            for field in ("version_id", "etag"):
                if reference.get(field) not in (None, listed[field]):
                    self.report(key, f"has another version or entity tag than {by} names")
        return True

    def walk(self):
        # Set where something on the way is missing: then what nothing names may belong to what is missing.
        broken = self.read_ledger()
        self.kind, self.last_key = self.find_kind()
        ends = self.ends_of_executions()
        to_follow = []
        for key in ends:
            folder = folder_of(key)
            phase_key = folder + "m3_execution_summary.json"
            document = self.docs.get(key)
            self.named.add(key)
            self.named.update(folder + name for name in SIDECARS)
            if key not in self.files:
                self.report(key, "is not there, and M3.J ends with it", INCOMPLETE)
            if self.committed is None or self.committed["summary"]["key"] == phase_key:
                self.phase_key = phase_key if phase_key in self.docs else None
            if document is None or phase_key not in self.docs:
                broken = True
            for closure in self.docs.get(phase_key, {}).get("closures", []):
                to_follow.append((closure, phase_key))
            if document:
                self.bucket = self.bucket or document["upstream"][0]["bucket"]
                to_follow.append((self.closure_of_last_summary(key, document), "the directory"))

        if self.kind not in WITH_VERDICT:
            self.ended_with = self.closure_of_last_step() or self.final_closure
            committed = {record["holder"] for record in self.ledger if record["kind"] == "COMMITTED"}
            holders = {record["holder"] for record in self.ledger} - committed
            if any("M3.J" in self.summaries_of(holder) for holder in holders):
                broken = True
                self.report("ledger", "has no COMMITTED record of a verdict of the run that is there", INCOMPLETE)
        if self.ended_with:
            self.bucket = self.bucket or self.ended_with["bucket"]
            to_follow.append((self.ended_with, "the directory"))
        elif self.kind in ENDS_BEFORE:
            broken = True
            self.report("m3g_admission_summary", "is not there: no summary of the execution is", INCOMPLETE)
        broken = self.follow_closures(to_follow) or broken
        if broken:
            self.report("evidence/", "a summary that the verdict rests on could not be followed", INCOMPLETE)
        self.set_foreign_objects_apart(broken)
        self.check_references()
        for key in ends:
            self.check_statements(key, folder_of(key))

    def read_ledger(self):
        """Checks the form of the ledger's records. True if one is missing."""
        of_steps = [key for key in self.docs if key.startswith(self.run_control)]
        observations = [self.docs[key] for key in of_steps if file_name(key) == "m3b_observations.json"]
        probes = [probe for document in observations for probe in document.get("observed", {}).get("probes", [])]
        free = {probe.get("candidate_platform_run_id") for probe in probes if probe.get("outcome") == "ROOT_OCCUPIED"}
        for key, document in self.docs.items():
            run, sequence = document.get("platform_run_id"), document.get("sequence")
            if isinstance(sequence, int) and key == f"evidence/runs/{run}/ledger/{sequence:06}.json":
                (self.given_up if run in free else self.records)[key] = document
        self.ledger = list(self.records.values())
        for key, record in self.given_up.items():
            first = self.ledger[0] if self.ledger else record
            found = [record[name] for name in ("sequence", "kind", "holder", "holder_stamp_utc")]
            self.expect(key, "its reservation", found, [1, "ACQUIRED", first["holder"], first["holder_stamp_utc"]])
        self.named.update(self.records)
        self.ledger_has_gap = any(record["sequence"] != n for n, record in enumerate(self.ledger, 1))
        if self.ledger_has_gap:
            self.report("ledger", "a record is missing", INCOMPLETE)

        executions = [record["holder"] for record in self.ledger] + [self.execution_arn]
        machines = {arn.rsplit(":", 1)[0] for arn in executions if arn}
        if len(machines) > 1:
            self.report("ledger", "its holders are executions of more than one state machine")

        for key, record in self.records.items():
            is_committed = record["kind"] == "COMMITTED"
            fields = RECORD_FIELDS | ({"verdict", "summary"} if is_committed else set())
            fixed = (record["artifact"], record["phase_id"], record["sequence"] > 0)
            self.expect(key, "its shape", (set(record), fixed), (fields, ("p1_ledger_record", "P1", True)))
            is_execution = EXECUTION_ARN.fullmatch(record["holder"]) is not None
            self.expect(key, "its holder", is_execution and record["kind"] in ("ACQUIRED", "COMMITTED"), True)
        return self.ledger_has_gap

    def ends_of_executions(self):
        """The keys of M3.J's summaries: one for each COMMITTED record, and one for the execution of the directory."""
        ends = []
        for key, record in self.records.items():
            if record["kind"] != "COMMITTED":
                continue
            # An execution without a verdict is of a run, whose last verdict counts.
            if self.execution_arn in (None, record["holder"]) or self.kind not in WITH_VERDICT:
                self.committed = record
            summary = record["summary"]
            self.bucket = self.bucket or summary["bucket"]
            self.follow(summary, key)
            ends.append(folder_of(summary["key"]) + "m3j_execution_summary.json")
        if self.committed is None and (self.kind in WITH_VERDICT or not (self.last_key or self.final_closure)):
            # The execution committed nothing: it was held before it had a ledger, or its record is missing.
            found = [key for key in self.files if file_name(key) == "m3j_execution_summary.json"]
            found = found or ["m3j_execution_summary"]
            final_key = self.final_closure["key"] if self.outcome == "VERDICT" else None
            ends += [key for key in found if key == final_key] or found[:1]
        return ends

    def closure_of_last_summary(self, key, document):
        """M3.J's own closure. Nothing in the evidence names it but the history; the file itself has to do."""
        return {
            "step": "M3.J",
            "bucket": self.bucket,
            "key": key,
            "sha256": sha256(self.files[key]),
            "version_id": self.listed.get(key, {}).get("version_id"),
            "overall_pass": document["overall_pass"],
            "phase_execution_id": document["phase_execution_id"],
        }

    def closure_of_last_step(self):
        """The closure of the summary that the execution ended with before a verdict, from the file itself."""
        document = self.docs.get(self.last_key)
        if document is None:
            return None
        buckets = [record["summary"]["bucket"] for record in self.ledger if record["kind"] == "COMMITTED"]
        buckets += [self.final_closure["bucket"]] if self.final_closure else []
        buckets += [reference["bucket"] for reference in document["artifacts"]]
        steps = {name: step for step, name in SUMMARIES.items()}
        return {
            "step": steps[file_name(self.last_key).removesuffix(".json")],
            "bucket": buckets[0],
            "key": self.last_key,
            "sha256": sha256(self.files[self.last_key]),
            "version_id": self.listed.get(self.last_key, {}).get("version_id"),
            "overall_pass": document["overall_pass"],
            "phase_execution_id": folder_of(self.last_key).removeprefix(self.run_control)[:-1],
        }

    def follow_closures(self, to_follow):
        """Follows closures, what their summaries list, and the closures before them. True if one leads nowhere."""
        broken = False
        seen = set()
        while to_follow:
            closure, by = to_follow.pop()
            if canonical(closure) in seen:
                continue
            seen.add(canonical(closure))
            key = closure["key"]
            document = self.docs.get(key)
            if not self.follow(closure, by):
                broken = True
                continue
            if document is None or document["artifact"] != SUMMARIES.get(closure["step"]):
                self.report(key, f"is not the summary of {closure['step']}")
                broken = True
                continue
            for reference in document["artifacts"] + document["inputs"]:
                self.follow(reference, key)
            for reference in document["artifacts"]:
                own = self.docs.get(reference["key"], {"artifact": reference["name"]})
                self.expect(reference["key"], f"its name in {key}", reference["name"], own["artifact"])
            self.closures.append((closure, document))
            to_follow += [(upstream, key) for upstream in document["upstream"]]
        return broken

    def check_references(self):
        """Whatever a document names with a hash is the object of that hash. Observations say what was once there."""
        hashes = {key: sha256(data) for key, data in self.files.items()}
        for key, document in self.docs.items():
            to_read = [] if key.endswith("observations.json") else [document]
            while to_read:
                value = to_read.pop()
                if isinstance(value, list):
                    to_read += value
                elif isinstance(value, dict):
                    to_read += value.values()
                    texts = [value.get(name) for name in ("bucket", "key", "sha256")]
                    if all(isinstance(text, str) for text in texts) and texts[2] != hashes.get(texts[1], texts[2]):
                        self.report(texts[1], f"is not what {key} names")

    def set_foreign_objects_apart(self, broken):
        """What nothing names. Below the run's root others may write too, though not into the ledger."""
        first = self.ledger[0] if self.ledger else self.docs.get(self.phase_key) or self.last_summary() or {}
        run = first.get("platform_run_id")
        run_root = f"evidence/runs/{run}/"
        for key, found in self.unread.items():
            self.report(key, *found)
        for key in (*self.files, *self.unread):
            if key in self.named:
                continue
            if run and key.startswith(run_root) and not key.startswith(run_root + "ledger/"):
                self.foreign.add(key)
            else:
                self.report(key, "is named by no closure there", INCOMPLETE if broken else TAMPERED)
        # They are no evidence: what was found wrong with them does not count.
        foreign = self.foreign - set(self.listed).intersection(self.unread)
        self.findings = {found: None for found in self.findings if found[1] not in foreign or found in self.of_mirror}
        self.docs = {key: document for key, document in self.docs.items() if key not in self.foreign}
        self.files = {key: data for key, data in self.files.items() if key not in self.foreign}

    # A later phase's question

    def is_entry(self):
        """Whether the directory is of a phase entry. Without a history, its summary and the absence of a run's say so."""
        if self.execution_arn:
            return self.admitted is not None
        names = {file_name(key) for key in self.files}
        of_run = {name + ".json" for step, name in SUMMARIES.items() if step != "M3.J"}
        return ENTRY_SUMMARY + ".json" in names and not names & of_run

    def check_entry(self):
        """The summary names every file, belongs to the execution, and says what follows from what was observed."""
        found = [key for key in self.files if file_name(key) == ENTRY_SUMMARY + ".json"]
        key = (self.final_closure or {}).get("key") or found[0]
        document = self.docs.get(key)
        if self.final_closure:
            self.expect(key, "its closure", self.final_closure["step"], "ENTRY")
        closure = self.final_closure or {
            "bucket": document["artifacts"][0]["bucket"],
            "key": key,
            "sha256": sha256(self.files[key]),
            "version_id": None,
        }
        self.bucket = closure["bucket"]
        broken = not self.follow(closure, "the directory") or document is None
        if not broken:
            self.expect(key, "what it is", document["artifact"], ENTRY_SUMMARY)
            self.closures.append((closure, document))
            for reference in document["artifacts"] + document["inputs"]:
                self.follow(reference, key)
        for key_unread, found_unread in self.unread.items():
            self.report(key_unread, *found_unread)
        for other in (*self.files, *self.unread):
            if other not in self.named:
                self.report(other, "is named by no closure there", INCOMPLETE if broken else TAMPERED)
        if broken:
            return

        self.check_revisions()
        self.run = ids_of(document)
        self.advances = document["overall_pass"]
        identity = document["phase_execution_id"]
        self.expect(key, "its place", key, f"{self.run_control}{identity}/{ENTRY_SUMMARY}.json")
        if self.execution_arn:
            self.expect(key, "its id", identity[-12:], identity_hash(self.execution_arn, "ENTRY"))
            self.expect("execution_history.json", "its answer", self.admitted, self.advances)
        found = (document["blocker_count"], document["next_gate"] == "HOLD", self.advances)
        no_blockers = not document["blockers"]
        self.expect(key, "its verdict", found, (len(document["blockers"]), not no_blockers, no_blockers))
        receipt = self.docs.get(folder_of(key) + "m3j_phase_entry.json")
        observations = self.docs.get(folder_of(key) + "m3j_entry_observations.json")
        if not receipt or not observations:
            return  # Missing: found already, or said by the blocker that it could not be published.
        observed = observations["observed"]
        unasked = observed["signature"] == "not_asked" and observations["settings"]["signing"] != "off"
        self.expect("m3j_entry_observations", "whether the deployment signs", unasked, False)
        environment = self.environment_of_entry(receipt["asked"], observed)
        self.expect("m3j_phase_entry", "its answer", receipt["admitted"], environment is not None)
        self.expect("m3j_phase_entry", "its environment", receipt["environment"], environment or {})
        codes = {blocker["code"] for blocker in document["blockers"]} - {"M3J-B7"}
        self.expect(key, "its blockers", bool(codes), environment is None)
        for read in observed["documents"]:
            data = self.files.get(read["object"]["key"])
            if data is not None:
                self.expect(read["object"]["key"], "its bytes", sha256(data), read["object"]["sha256"])

    @staticmethod
    def environment_of_entry(asked, observed):
        """The variables of an admitted phase, computed anew from what was observed; None if the phase is refused."""
        if "found" not in observed["ledger"] or observed["unusable"] or observed["rewritten"]:
            return None
        if isinstance(observed["signature"], dict) and "invalid" in observed["signature"]:
            return None
        # No verdict was found, though what follows finds one.
        if observed["signature"] == "no_verdict":
            return None
        contents = {read["object"]["key"]: read["content"] for read in observed["documents"]}
        digests = {key: sha256(canonical(content) + b"\n") for key, content in contents.items()}
        if any(digests[read["object"]["key"]] != read["object"]["sha256"] for read in observed["documents"]):
            return None
        head = next((c for c in contents.values() if c["artifact"] == "p1_ledger_record"), None)
        if not head or (head["kind"], head.get("verdict")) != ("COMMITTED", "ADVANCE_TO_M4"):
            return None

        # Each document is reached by a reference that names its hash, from the ledger's record on.
        by_name = {content["artifact"]: content for content in contents.values()}
        closing = by_name.get("m3j_execution_summary", {})
        receipt = by_name.get("m4_entry_readiness_receipt", {})
        pack = by_name.get("m4_handoff_pack", {})
        header = by_name.get("run_header", {})
        references = [head["summary"], *(a for a in closing["artifacts"] if a["name"] == "m4_entry_readiness_receipt")]
        references += [receipt["m3_execution_summary"], receipt["commit"], receipt["m4_handoff_pack"]]
        references += [*pack["durable_references"], {"key": header["run_json_key"], "sha256": header["run_json_sha256"]}]
        if any(digests.get(reference["key"]) != reference["sha256"] for reference in references):
            return None
        ids = ids_of(by_name["m3_execution_summary"])
        carried = ["m3j_execution_summary", "m4_entry_readiness_receipt", "m4_handoff_pack", "run", "run_header"]
        same = all(ids_of(by_name[name]) == ids for name in carried)
        same = same and all(asked[name] == ids[name] for name in RUN_IDS[:2])
        value = pack["required_platform_run_id_env_value"]
        is_open = by_name["m3_execution_summary"]["overall_pass"] and closing["overall_pass"] and receipt["overall_pass"]
        if not same or not is_open or value != ids["platform_run_id"]:
            return None
        return {pack["required_platform_run_id_env_key"]: value}

    # What is signed

    def check_statements(self, key, folder):
        """Computes both statements about a verdict anew, from the evidence alone; the envelopes must hold just these."""
        found = {name: self.files[folder + name] for name in SIDECARS if folder + name in self.files}
        if found:
            for name in SIDECARS:
                if name not in found:
                    self.report(folder + name, "is not there, as others are", INCOMPLETE)
        last = self.docs.get(key)
        phase = self.docs.get(folder + "m3_execution_summary.json")
        if PUBLIC_KEY not in found or not last or not phase:
            return
        summaries = [document for closure, document in self.closures if closure in phase["closures"]]
        if len(summaries) < len(phase["closures"]):
            return  # Incomplete, as was found already: the statements cannot be computed.

        # The key's one form: PEM, with the base64 of its DER in two lines.
        der = base64.b64decode(b"".join(found[PUBLIC_KEY].split(b"\n")[1:3]))
        text = base64.b64encode(der).decode()
        pem = f"-----BEGIN PUBLIC KEY-----\n{text[:64]}\n{text[64:]}\n-----END PUBLIC KEY-----\n"
        self.expect(folder + PUBLIC_KEY, "its form", found[PUBLIC_KEY].decode(), pem)

        artifacts = {reference["name"]: reference for reference in last["artifacts"]}
        committed = "p1_ledger_record" in artifacts
        subject = self.subject_of_statements(key, phase, summaries, artifacts)
        for name, predicate_type in ENVELOPES.items():
            if name not in found:
                continue
            envelope = self.parse(folder + name, found[name], dict)
            signed = json.loads(base64.b64decode(envelope["payload"]))
            execution = signed["predicate"].get("execution")
            if execution:
                predicate = self.verdict_predicate(phase, last, committed, execution)
            else:
                predicate = self.summary_predicate(phase, committed, folder)
            payload = canonical({
                "_type": "https://in-toto.io/Statement/v1",
                "predicateType": predicate_type,
                "subject": subject,
                "predicate": predicate,
            })
            expected = {
                "payload": base64.b64encode(payload).decode(),
                "payloadType": "application/vnd.in-toto+json",
                # The signature is what openssl checks.
                "signatures": [{"keyid": sha256(der), "sig": envelope["signatures"][0]["sig"]}],
            }
            self.expect(folder + name, "its statement", envelope, expected)

    def subject_of_statements(self, key, phase, summaries, artifacts):
        """What the statements are about: all summaries, the documents of the run, the verdict and the ledger's record."""
        references = list(phase["closures"])
        for document in summaries:
            for reference in document["artifacts"]:
                if reference["name"] in ("run", "run_header", "m4_handoff_pack"):
                    references.append(reference)
        for name in ("m3_execution_summary", "p1_ledger_record"):
            if name in artifacts:
                references.append(artifacts[name])
        objects = {(reference["key"], reference["sha256"]) for reference in references}
        objects.add((key, sha256(self.files[key])))
        return [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(objects)]

    @staticmethod
    def verdict_predicate(phase, last, committed, execution):
        """P1's own statement. The ARN that it names must be the one that M3.J's id was derived from."""
        identity = last["phase_execution_id"]
        is_ours = identity_hash(execution, "M3.J") == identity[-12:]
        blockers = phase["unresolved_blockers"] + last["blockers"]
        return {
            "verdict": phase["verdict"] if committed else "HOLD_M3",
            "committed": committed,
            "adjudication": phase["adjudication"],
            "run": ids_of(phase),
            "execution": execution if is_ours else None,
            "unresolved_codes": sorted({blocker["code"] for blocker in blockers}),
            "execution_stamp_utc": phase["execution_stamp_utc"],
            "phase_execution_id": identity,
            "not_reached": phase["not_reached"],
        }

    def summary_predicate(self, phase, committed, folder):
        """SLSA's verification summary: whether the run passed the policy of run pinning."""
        passed = committed and phase["verdict"].startswith("A")
        run = ids_of(phase)
        place = f"evidence/runs/{run['platform_run_id']}/" if run else folder
        return {
            "verifier": {"id": "urn:p1:verifier:m3j"},
            "policy": {"uri": "urn:p1:policy:run-pinning:1"},
            "verificationResult": "PASSED" if passed else "FAILED",
            "verifiedLevels": ["P1_RUN_PINNED" if passed else "FAILED"],
            "timeVerified": phase["execution_stamp_utc"],
            "resourceUri": f"s3://{self.bucket}/{place}",
        }

    # What the evidence means

    def check_meaning(self, phase, last):
        """`phase` is the verdict that counts, `last` the summary of an execution that ended before one. There is one of them."""
        self.advances = phase and phase["verdict"] == "ADVANCE_TO_M4"
        self.run = {**ids_of(phase or {}), **ids_of(last or {})}
        self.check_order_of_ledger()
        self.check_summaries(phase)
        self.check_revisions()
        self.check_secret_scans()
        self.check_gates(phase)
        for key, document in self.docs.items():
            ids = ids_of(document) if key not in self.given_up else {}
            self.expect(key, "its run", ids, {name: self.run.get(name) for name in ids})
        if last:
            self.check_ended(last)
            closures = [*last["upstream"], self.ended_with]
            summaries, artifacts = self.summaries_and_artifacts(closures)
            self.check_ids(artifacts)
            if len(summaries) == len(closures):
                self.check_windows(artifacts)
                self.check_pinned(closures, artifacts)
        if phase:
            summaries, artifacts = self.summaries_and_artifacts(phase["closures"], phase)
            self.check_next_action(phase)
            self.check_ids(artifacts)
            self.check_verdict(phase, summaries, artifacts)

    def summaries_and_artifacts(self, closures, phase=None):
        """The summaries that these closures name, by step, and their artifacts by name; M3.J's too, if a verdict is given."""
        summaries, artifacts = {}, {}
        for closure, document in self.closures:
            is_last = phase and closure["step"] == "M3.J" and closure["phase_execution_id"] == phase["phase_execution_id"]
            if closure in closures:
                summaries[closure["step"]] = document
            if closure in closures or is_last:
                artifacts.update({reference["name"]: reference for reference in document["artifacts"]})
        return summaries, artifacts

    def check_ended(self, last):
        """What an execution ended with that reached no verdict is what its own admission makes of it, and what the engine says."""
        closure = self.ended_with
        if self.kind == "SINGLE_STATE":
            self.check_single_state(closure, last)
        if self.kind == "RERUN_REFUSED":
            self.check_refusal(closure, last)
        if self.kind in ENDS_BEFORE and self.execution_arn:
            codes = sorted({blocker["code"] for blocker in last["blockers"]})[:MOST_CODES]
            # Without objects.json no version is known.
            unknown = {} if closure["key"] in self.listed else {"version_id": None}
            said = self.said.get("blockers")
            said = sorted(said) if isinstance(said, list) and all(isinstance(code, str) for code in said) else said
            found = [self.final_closure and {**self.final_closure, **unknown}, said]
            expected = [closure, codes]
            if self.kind == "SINGLE_STATE":
                found += [self.said.get("step"), self.said.get("overall_pass")]
                expected += [closure["step"], last["overall_pass"]]
            # As texts: to Python, 1 is true.
            found, expected = (json.dumps(side, sort_keys=True) for side in (found, expected))
            self.expect("execution_history.json", "what it ended with", found, expected)

    def check_single_state(self, closure, last):
        """One of M3.C to M3.H, which rests on the steps before it and on an admission of its execution for that state alone."""
        key, step = closure["key"], closure["step"]
        self.expect(key, "that it ran alone", step in STEPS[2:8], True)
        expected = sorted(["ADMISSION", *(before for before in STEPS if before < step)])
        self.expect(key, "what it rests on", sorted(upstream["step"] for upstream in last["upstream"]), expected)
        self.expect(key, "the pass of what it rests on", {upstream["overall_pass"] for upstream in last["upstream"]}, {True})
        admissions = [pair for pair in self.closures if pair[0] in last["upstream"] and pair[0]["step"] == "ADMISSION"]
        if not admissions:
            return  # It is not there, as was found already.
        admission, summary = admissions[0]
        executions = [(record["holder"], stamp_of(record["holder_stamp_utc"])) for record in self.ledger]
        if self.execution_arn:
            executions.append((self.execution_arn, closure["phase_execution_id"].split("_")[1]))
        found = [closure["phase_execution_id"], admission["phase_execution_id"]]
        is_own = any([phase_execution(*execution, name) for name in (step, "ADMISSION")] == found for execution in executions)
        self.expect(key, "the admission that it rests on", is_own, True)
        receipt = self.receipt_of_admission(admission, summary)
        if receipt is None:
            return
        found = [receipt["admitted"], receipt["only"], receipt["resume_at"]]
        self.expect("m3g_admission_receipt", "what it admits", found, [True, True, step])
        records = [record for record in self.ledger if record["sequence"] == receipt["ledger_sequence"]]
        if not records:
            self.report("ledger", "has no record of the execution that ran one state alone", INCOMPLETE)
        for record in records:
            identity = phase_execution(record["holder"], stamp_of(record["holder_stamp_utc"]), "ADMISSION")
            self.expect("m3g_admission_receipt", "the record that it names", admission["phase_execution_id"], identity)

    def check_refusal(self, closure, last):
        """An admission that blocks. What could not be published was not known yet when its receipt was written."""
        key = closure["key"]
        self.expect(key, "that it refuses", (closure["step"], last["overall_pass"]), ("ADMISSION", False))
        self.expect(key, "what it rests on", last["upstream"], [])
        receipt = self.receipt_of_admission(closure, last)
        if receipt is None:
            return
        refuses = any(blocker["code"] not in NOT_PUBLISHED for blocker in last["blockers"])
        self.expect("m3g_admission_receipt", "that it refuses", receipt["admitted"] and refuses, False)
        sequence = receipt["ledger_sequence"]
        if sequence is not None and all(record["sequence"] != sequence for record in self.ledger):
            self.report("ledger", "has no record of the rerun, which acquired it", INCOMPLETE)

    def receipt_of_admission(self, admission, summary):
        """The receipt that an admission lists. One that could not publish it says so."""
        keys = [one["key"] for one in summary["artifacts"] if one["name"] == "m3g_admission_receipt"]
        if not keys:
            is_lost = any(blocker["code"] in NOT_PUBLISHED for blocker in summary["blockers"])
            self.expect(admission["key"], "the receipt that it lists", is_lost, True)
            return None
        return self.docs.get(keys[0])

    def check_order_of_ledger(self):
        """An ACQUIRED record follows anything but an advance; a COMMITTED one follows an ACQUIRED one of its holder."""
        if self.ledger_has_gap:
            return
        before = {}
        for record in self.ledger:
            same_holder = before.get("holder") == record["holder"]
            if record["kind"] == "COMMITTED":
                legal = before.get("kind") == "ACQUIRED" and same_holder
            else:
                legal = before.get("verdict") != "ADVANCE_TO_M4"
            if before and before["schema_version"] > record["schema_version"]:
                legal = False
            if same_holder and before["holder_stamp_utc"] != record["holder_stamp_utc"]:
                legal = False
            self.expect("ledger", "its order", legal, True)
            before = record

    def check_summaries(self, phase):
        """Every summary belongs to an execution that held the run, and says the same as the closure that names it. What an
        execution ended with that reached no verdict belongs to that execution."""
        holders = {(record["holder"], stamp_of(record["holder_stamp_utc"])) for record in self.ledger}
        if self.ended_with and self.execution_arn:
            holders.add((self.execution_arn, self.ended_with["phase_execution_id"].split("_")[1]))
        elif not holders and phase:
            holders.add((self.execution_arn, stamp_of(phase["execution_stamp_utc"])))
        if self.kind in WITH_VERDICT:
            is_holder = self.execution_arn is None or self.execution_arn in {arn for arn, _ in holders}
            self.expect("execution_history.json", "its holder", is_holder, True)
            self.expect("execution_history.json", "its outcome", self.outcome in (None, "VERDICT"), True)

        # Which step a phase execution id is of; all of them follow from the holders.
        named = [holder for holder in holders if holder[0]]
        step_by_identity = {phase_execution(*holder, step): step for holder in named for step in SUMMARIES}

        # Summaries have the same fields, but for the ids of the run, which those before M3.B cannot have.
        # A summary lists what could not be stored only where there is such an object.
        # Those of revision 1 do not say what was scanned for secrets.
        optional = {*RUN_IDS, "not_stored", "secret_scan"}
        fields = set.intersection(*(set(document) for _, document in self.closures)) | optional
        for closure, document in self.closures:
            key, step, identity = closure["key"], closure["step"], closure["phase_execution_id"]
            # Without the history nothing names the execution of a refused rerun, which holds nothing.
            is_unnamed = self.execution_arn is None and (not self.ledger or closure == self.ended_with)
            is_derived = is_unnamed or step_by_identity.get(identity) == step
            self.expect(key, "its id", is_derived, True)
            self.expect(key, "its place", key, f"{self.run_control}{identity}/{SUMMARIES[step]}.json")
            self.expect(key, "its fields", set(document) - fields, set())
            passes = document["overall_pass"]
            found = (passes, document["blocker_count"], document["next_gate"] == "HOLD")
            self.expect(key, "its verdict", found, (closure["overall_pass"], len(document["blockers"]), not passes))
            self.expect(key, "its verdict", passes and bool(document.get("not_stored")), False)
            gate = step == "ADMISSION" or document["next_gate"] == (step + "_READY" if passes else "HOLD")
            self.expect(key, "its gate", gate and passes == (not document["blockers"]), True)

            if phase and step == "M3.J" and identity == phase["phase_execution_id"]:
                self.expect(key, "its upstream", document["upstream"], phase["closures"])
                listed = [one["key"] for one in document["artifacts"] if one["name"] == "m3_execution_summary"]
                self.expect(key, "the phase summary that it lists", listed[-1:], [self.phase_key])
                if self.kind in WITH_VERDICT and self.outcome == "VERDICT":
                    found = (self.final_closure["key"], self.final_closure["sha256"])
                    self.expect("execution_history.json", "its closure", found, (key, closure["sha256"]))
                if self.committed:
                    has_receipt = any(one["name"] == "m4_entry_readiness_receipt" for one in document["artifacts"])
                    self.expect(self.phase_key, "the receipt for M4", has_receipt, self.advances)

    def check_revisions(self):
        """A summary and what it lists are of one revision; it rests on closures of that one or of an earlier one."""
        for closure, summary in self.closures:
            own = summary["schema_version"]
            for reference in summary["artifacts"]:
                document = self.docs.get(reference["key"], summary)
                is_of_own = document["schema_version"] == own or document["artifact"] == BILLING
                self.expect(reference["key"], "its revision", is_of_own, True)
            for upstream in summary["upstream"]:
                is_later = self.docs.get(upstream["key"], summary)["schema_version"] > own
                self.expect(closure["key"], "its revision", is_later, False)

    def check_secret_scans(self):
        """What a summary says of its scan for secrets fits what it published. What was created before is not scanned here."""
        for closure, summary in self.closures:
            scan = summary.get("secret_scan")
            letter = "g_admission" if closure["step"] == "ADMISSION" else closure["step"][-1].lower()
            name = f"m3{letter}_observations"
            keys = [reference["key"] for reference in summary["artifacts"] if reference["name"] == name]
            observations = self.docs.get(keys[0]) if keys else None
            if scan is None or observations is None:
                continue
            created = {reference["key"] for reference in observations["created"]}
            published = [reference["key"] for reference in summary["artifacts"] if reference["key"] not in created]
            lost = summary.get("not_stored", [])
            found = (scan["rules_version"] in range(1, SECRET_RULES + 1), scan["documents"])
            self.expect(closure["key"], "its scan for secrets", found, (True, len(published) + len(lost)))
            enough = scan["hits"] >= len(observations["redactions"])
            self.expect(closure["key"], "its scan for secrets", enough, True)
            if lost or not all(key in self.docs or key.endswith(".md") for key in published):
                continue
            documents = [observations["observed"] if key == keys[0] else self.docs.get(key, "") for key in published]
            found = sum(count_strings(document) for document in documents)
            self.expect(closure["key"], "its scan for secrets", scan["strings"], found)

    def check_gates(self, phase):
        """What later phases gate on repeats the verdict. Evidence of revision 1 has none of it, later evidence all."""
        if phase and (phase["schema_version"] > 1 or any(name in phase for name in ["next_gate", *GATE_FIELDS])):
            blockers = [
                {name: blocker[name] for name in ("code", "subject", "detail")}
                for blocker in phase["unresolved_blockers"]
            ]
            found = [phase.get(name) for name in ["next_gate", *GATE_FIELDS]]
            expected = ["M4_READY" if self.advances else "HOLD", self.advances, len(blockers), blockers]
            self.expect(self.phase_key, "what later phases gate on", found, expected)
        for key, document in self.docs.items():
            if document.get("artifact") != "m4_entry_readiness_receipt":
                continue
            found = [document["next_gate"], document["overall_pass"]]
            expected = ["M4_READY", True]
            if document["schema_version"] > 1 or any(name in document for name in GATE_FIELDS):
                found += [document[name] for name in GATE_FIELDS if name in document]
                expected += [True, 0, []]
            self.expect(key, "what later phases gate on", found, expected)

    def check_next_action(self, phase):
        """What a hold offers goes on from the last of the steps' summaries, or starts anew where the run cannot go on."""
        action = phase["next_action"]
        self.expect(self.phase_key, "whether it offers a way on", action is None, phase["overall_pass"])
        if action is None:
            return
        closures = [closure for closure in phase["closures"] if closure["step"] in STEPS[:8]]
        last = max(closures, key=lambda closure: closure["step"], default=None)
        codes = {blocker["code"] for blocker in phase["unresolved_blockers"]}
        no_go = phase["adjudication"] == "NO_GO_RESET_REQUIRED" or any(map(SCHEMAS.is_severe, codes))
        resumes = bool(last) and last["step"] >= "M3.C" and not no_go
        self.expect(self.phase_key, "its next action", action["action"], "RESUME" if resumes else "START_ANEW")
        held = None
        if resumes and last["version_id"] is not None:
            held = {name: last[name] for name in ("key", "version_id", "sha256")}
        offered = action["rerun_input"]
        self.expect(self.phase_key, "what its input goes on from", offered and offered["resume"]["held"], held)
        if "only_input" in action:
            expected = offered and {"resume": {**offered["resume"], "only": True}}
            self.expect(self.phase_key, "its input for one state alone", action["only_input"], expected)
        self.expect(self.phase_key, "whether it offers a new start", "start_input" in action and resumes, False)

    def check_ids(self, artifacts):
        """The run's ids follow from the time and the seed that M3.B recorded."""
        document = self.docs.get(artifacts.get("m3b_run_identity_seed", {}).get("key"))
        if document is None:
            return
        run = self.run.get("platform_run_id")
        if run:
            self.expect("m3b_run_identity_seed", "the time of the run's id", stamp_of(document["pinned_at_utc"]), run.split("_")[1])
        seed = document["seed_inputs"]
        derived = {"scenario_run_id": None, "config_digest": None}
        if seed:
            derived["config_digest"] = digest = sha256(canonical(seed["digest_input"]))
            known = {name: {**seed, **seed["digest_input"]}[name] for name in SCENARIO_FIELDS}
            fields = seed["scenario_fields"]
            are_known = set(fields) <= set(known) and len(set(fields)) == len(fields) > 0
            if are_known and seed["scenario_derivation_mode"] == "deterministic_hash_v1":
                chosen = {field: known[field] for field in fields}
                derived["scenario_run_id"] = "scenario_" + sha256(canonical(chosen))[:32]
            self.expect("m3b_run_identity_seed", "its digest", seed["config_digest"], digest)
            entries = seed["oracle_input_manifest_entries"]
            manifests = sha256(canonical(entries)) if entries else seed["oracle_input_manifest_sha256"]
            self.expect("m3b_run_identity_seed", "its manifest", seed["oracle_input_manifest_sha256"], manifests)
        # An id that the run does not have yet cannot differ.
        for name, value in derived.items():
            self.expect("m3b_run_identity_seed", "the run's ids", self.run.get(name, value), value)

    def check_pinned(self, closures, artifacts):
        """What was pinned carries the time and the ids of the run, and names the right evidence, as the receipt for M4 does. Tells
        whether run.json, run header and handoff pack are there."""
        def document_of(name):
            return self.docs.get(artifacts.get(name, {}).get("key"))

        seed, run, header, pack = map(document_of, ("m3b_run_identity_seed", "run", "run_header", "m4_handoff_pack"))
        for document in filter(None, (run, header, pack)):
            times = {document["pinned_at_utc"], document.get("written_at_utc", document["pinned_at_utc"])}
            expected = {seed["pinned_at_utc"]} if seed else times
            self.expect(document["artifact"], "the time that it was pinned at", times, expected)
        if run:
            known = all(closure in closures for closure in run["source_closures"])
            self.expect("run", "the closures that it rests on", known, True)
        if header and header["run_json_key"] in self.files:
            expected = sha256(self.files[header["run_json_key"]])
            self.expect("run_header", "the hash of run.json", header["run_json_sha256"], expected)
        if pack:
            scope = pack["required_platform_run_id_env_value"]
            self.expect("m4_handoff_pack", "its run", scope, self.run.get("platform_run_id"))
            ids = {closure["step"]: closure["phase_execution_id"] for closure in closures}
            expected = {step: ids.get(step) for step in pack["source_execution_ids"]}
            self.expect("m4_handoff_pack", "the executions of its steps", pack["source_execution_ids"], expected)
        receipt = document_of("m4_entry_readiness_receipt")
        if receipt:
            for name, field in (("m3i_p1_verdict", "p1_verdict"), ("m4_handoff_pack", "m4_handoff_pack")):
                expected = {key: value for key, value in artifacts.get(name, {}).items() if key not in ("name", "etag")}
                self.expect("m4_entry_readiness_receipt", f"its {field}", receipt[field], expected)
            self.expect("m4_entry_readiness_receipt", "its verdict", receipt["m3_execution_summary"]["key"], self.phase_key)
            if self.committed:
                expected = f"evidence/runs/{self.committed['platform_run_id']}/ledger/{self.committed['sequence']:06}.json"
                self.expect("m4_entry_readiness_receipt", "its commit", receipt["commit"]["key"], expected)
        return bool(run and header and pack)

    def check_resolved(self, summaries, artifacts):
        """M3.I's register lists the blockers of the holds that the admissions lead back to, and that the chain no longer has."""
        register = self.docs.get(artifacts.get("m3i_blocker_register", {}).get("key"), {})
        # Evidence of revision 1 says nothing of them.
        if "resolved_blockers" not in register:
            return
        resolved = []
        chain = {step: document for step, document in summaries.items() if step in STEPS[:8]}
        named = {closure["step"]: closure for closure in self.docs[self.phase_key]["closures"]}
        admission = named.get("ADMISSION")
        for _ in range(MOST_RERUNS):
            if admission is None:
                break
            summary = self.docs.get(admission["key"], {})
            receipts = [one["key"] for one in summary.get("artifacts", []) if one["name"] == "m3g_admission_receipt"]
            held = self.docs.get(receipts[0], {}).get("held") if receipts else None
            document = self.docs.get(held["key"]) if held else None
            if document is None:
                return
            step = document["step"]
            raised = {
                "step": step, "phase_execution_id": document["phase_execution_id"], "bucket": admission["bucket"],
                "overall_pass": document["overall_pass"], **held,
            }
            now = chain.get(step)
            if now is not None and named[step] != raised:
                standing = [(blocker["code"], blocker["subject"]) for blocker in now["blockers"]]
                resolved[:0] = [
                    [blocker["code"], blocker["subject"], blocker["detail"], raised, named[step]]
                    for blocker in document["blockers"]
                    if (blocker["code"], blocker["subject"]) not in standing
                ]
            admission = next((one for one in document["upstream"] if one["step"] == "ADMISSION"), None)
        fields = ("code", "subject", "detail", "raised_by", "resolved_by")
        found = [[one[name] for name in fields] for one in register["resolved_blockers"]]
        self.expect("m3i_blocker_register", "its resolved blockers", found, resolved[-MOST_RESOLVED:])

    def check_windows(self, artifacts):
        """The phase's window begins with the execution that minted the run, and ends with the one that M3.H is of."""
        for name in ("m3h_phase_budget_envelope", "m3h_phase_cost_outcome_receipt"):
            document = self.docs.get(artifacts.get(name, {}).get("key"), {})
            # Evidence of revision 1 says neither.
            if "phase_window_start_utc" not in document and "phase_window_end_utc" not in document:
                continue
            stamps = [self.run.get("platform_run_id"), document["phase_execution_id"]]
            expected = [stamp and stamp.split("_")[1] for stamp in stamps]
            found = [document.get(f"phase_window_{end}_utc", "") for end in ("start", "end")]
            found = [instant.replace("-", "").replace(":", "") for instant in found]
            if expected[0] is None:
                expected[0] = found[0]
            self.expect(name, "the phase's window", found, expected)

    def check_register(self, register, blockers):
        """M3.I's register has every blocker of the steps, in order, with what the page of blockers says of it."""
        fields = ("code", "subject", "detail")
        expected = sorted({tuple(blocker[name] for name in fields) for blocker in blockers})
        expected = [
            dict(zip(fields, blocker), **dict(zip(("severity", "phase_code", "remedy"), SCHEMAS.blockers[blocker[0]])))
            for blocker in expected
        ]
        found = (register["unresolved_blockers"], register["unresolved_count"])
        self.expect("m3i_blocker_register", "its blockers", found, (expected, len(expected)))

    def check_verdict(self, phase, summaries, artifacts):
        """The rollup's word follows from the steps' blockers, the verdict from the word, and the ledger commits it."""
        if len(summaries) == len(phase["closures"]):
            blockers = [blocker for document in summaries.values() for blocker in document["blockers"]]
            # M3I-B7 is the rollup's own: a step before it held.
            codes = sorted({blocker["code"] for blocker in blockers if blocker["code"] != "M3I-B7"})
            not_reached = [step for step in STEPS[:8] if step not in summaries]
            if any(map(SCHEMAS.is_severe, codes)):
                word = "NO_GO_RESET_REQUIRED"
            elif codes or not_reached:
                word = "HOLD_REMEDIATE"
            else:
                word = "ADVANCE_TO_M3J"
            rollup = self.docs.get(artifacts.get("m3i_p1_verdict", {}).get("key"))
            if "M3I-B1" not in codes:
                self.check_resolved(summaries, artifacts)
            self.check_windows(artifacts)
            if not self.check_pinned(phase["closures"], artifacts) and self.advances:
                self.report(self.phase_key, "advances without run.json, run header or handoff pack", INCOMPLETE)
            if rollup:
                found = (rollup["verdict"], rollup["unresolved_codes"], rollup["not_reached"], rollup["overall_pass"])
                self.expect("m3i_p1_verdict", "its verdict", found, (word, codes, not_reached, word == "ADVANCE_TO_M3J"))
                self.expect(self.phase_key, "its adjudication", phase["adjudication"], word)
            elif self.advances:
                self.report(self.phase_key, "advances, and the verdict of M3.I is not there", INCOMPLETE)
            register = self.docs.get(artifacts.get("m3i_blocker_register", {}).get("key"))
            if register:
                self.check_register(register, [blocker for blocker in blockers if blocker["code"] != "M3I-B7"])
            found = {blocker["code"] for blocker in phase["unresolved_blockers"]} - {"M3I-B7"}
            found = sorted(code for code in found if not code.startswith("M3J"))
            self.expect(self.phase_key, "its codes", found, codes)
            is_green = (
                word == "ADVANCE_TO_M3J"
                and not phase["unresolved_blockers"]
                and phase["commit"] == "TO_BE_COMMITTED"
                and all(document["overall_pass"] for document in summaries.values())
                and "M3.I" in summaries
            )
            self.expect(self.phase_key, "its verdict", self.advances, is_green)

        self.expect(self.phase_key, "its pass", phase["overall_pass"], self.advances)
        if self.committed:
            self.expect("ledger", "the committed verdict", self.committed["verdict"], phase["verdict"])
            self.expect("ledger", "the committed summary", self.committed["summary"]["key"], self.phase_key)
        elif phase["commit"] != "NO_LEDGER" or self.ledger or self.advances:
            self.report("ledger", "has no COMMITTED record of this verdict: it is void", INCOMPLETE)
            self.advances = None


def verify(folder):
    """The answer for one directory."""
    try:
        return judge(folder)
    except OSError as error:
        return {"exit_status": 4, "findings": [[4, folder, f"cannot be read: {error}"]]}
    except Exception as error:
        # Nothing was learned of the evidence, so that nothing may be said of it.
        finding = [INCOMPLETE, folder, f"this program failed: {error!r}"]
        return {"exit_status": INCOMPLETE, "foreign": 0, "findings": [finding]}


def judge(folder):
    path = pathlib.Path(folder)
    if not SCHEMAS.are_there():
        return {"exit_status": 4, "findings": [[4, str(SCHEMAS.folder), "has no schemas: name their folder in P1_SCHEMAS"]]}
    if kind_of(path / "evidence") is None and kind_of(path / "objects.json") is None:
        return {"exit_status": 4, "findings": [[4, folder, "is no evidence directory"]]}
    check = Check(folder)
    try:
        check.check()
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        finding = [TAMPERED, folder, f"a document has another shape: {error!r}"]
        return {"exit_status": TAMPERED, "foreign": 0, "findings": [finding]}
    return {
        "exit_status": check.status(),
        "kind": check.kind,
        "run": check.run,
        "foreign": len(check.foreign | check.beside) + check.foreign_unnamed,
        "findings": list(check.findings)[:50],
        # Objects, hashes compared, closures followed, references into other buckets.
        "counts": [len(check.files), check.hashes, len(check.closures), len(check.outside)],
    }


def main():
    if sys.argv[1:] == ["-"]:
        folders = (line.rstrip("\n") for line in sys.stdin)
    else:
        folders = sys.argv[1:]
    status = 4
    for folder in folders:
        answer = verify(folder)
        # A file's name may be no text.
        sys.stdout.buffer.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        sys.stdout.buffer.flush()
        status = answer["exit_status"]
    return status


if __name__ == "__main__":
    # Ctrl-C ends this program at once, as it ends any other; Python's own way would wait for the next step of the program.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        status = main()
    except Exception as error:
        # 1 would mean: held and intact.
        status = INCOMPLETE
        os.write(2, f"verify.py failed: {error!r}\n".encode())
    # Without Python's shutdown, which would end with a status of its own where standard output is closed.
    os._exit(status)
