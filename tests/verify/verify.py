"""A second implementation of `cargo p1 verify`: hashing, ids, ledger, verdict, and what is signed; the signature itself is
for openssl to check. `verify.py DIR...` answers one JSON object a directory, and `verify.py -` those on standard input. Exit
status, of the last: 0 pinned and intact, 1 held and intact, 2 tampered or inconsistent, 3 incomplete, 4 usage."""
import base64, hashlib, json, pathlib, re, sys
ROOT, BOUND, STEPS = "evidence/dev_full/run_control/", 2**53 - 1, ["M3." + letter for letter in "ABCDEFGHIJ"]
S1 = set("""M3A-B8 M3B-B1 M3B-B4 M3B-B6 M3B-B8 M3C-B1 M3C-B4 M3C-B5 M3D-B8 M3E-B3 M3E-B5 M3E-B6 M3E-B7 M3F-B4 M3F-B6 M3F-B7
M3G-B2 M3G-B3 M3H-B9 M3I-B1 M3I-B2 M3I-B3 M3I-B4 M3I-B5 M3I-B6 M3I-B8 M3J-B1 M3J-B2 M3J-B3 M3J-B4 M3J-B5 M3J-B6 M3J-B8""".split())
SUMMARY = {step: f"m3{step[-1].lower()}_execution_summary" for step in STEPS} | {"ADMISSION": "m3g_admission_summary"}
IDS = ["platform_run_id", "scenario_run_id", "config_digest"]
SYSTEM = (".DS_Store", "Thumbs.db", "desktop.ini")  # what operating systems leave in a folder
HOLDER, KINDS = re.compile(r"arn:aws[-a-z]*:states:[a-z0-9-]+:[0-9]{12}:execution:[^:]{1,80}:[^:]{1,80}"), ("ACQUIRED", "COMMITTED")
RECORD = set("schema_version artifact phase_id platform_run_id sequence kind holder holder_stamp_utc".split())
KEY, SIGNED = "m3j_signing_key.pem", {"m3j_verdict.dsse.json": "urn:p1:predicate:verdict:1",
                                      "m3j_vsa.dsse.json": "https://slsa.dev/verification_summary/v1"}
def sha(data): return hashlib.sha256(data).hexdigest()
def canonical(value): return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
def integer(text):
    if not text.lstrip("-").isdigit() or abs(int(text)) > BOUND: raise ValueError(f"holds the number {text}")
    return int(text)
class Check:
    def __init__(self, root):
        self.findings, self.named, self.outside, self.closures, self.seen = {}, set(), set(), [], []
        self.hashes, self.bucket, self.phase, self.run, self.files, self.listed = 0, None, None, {}, {}, {}
        for path in pathlib.Path(root).rglob("*"):
            if path.is_file() and not path.is_symlink(): self.files[path.relative_to(root).as_posix()] = path.read_bytes()
            elif path.is_symlink() or not path.is_dir(): self.bad(str(path), "is no ordinary file")
        self.same("other_versions", "a further version", pathlib.Path(root, "other_versions").exists(), False)
        objects, history = [
            self.parse(name, self.files[name], kind, 64 << 20) if name in self.files else self.bad(name, "is not there", 3)
            for name, kind in (("objects.json", list), ("execution_history.json", dict))]
        versions = self.parse(name, self.files[name], dict, 64 << 20) if (name := "object_versions.json") in self.files else None
        if versions and not (set(versions) == {"keys", "foreign", "ghosts"} and set(versions["foreign"]) == {"count", "keys"} and
                isinstance(versions["keys"], list) and all(set(e) == {"key", "versions", "delete_markers"} for e in versions["keys"])):
            versions = self.bad(name, "is of another shape")
        for entry in (versions or {}).get("keys", []):  # what the bucket said; mirrors of earlier versions do not have it
            self.same(entry["key"], "its history", (entry["versions"] < 2, entry["delete_markers"]), (True, 0))
        versions and versions["ghosts"] and self.bad("ledger", "a record names a holder without evidence", 3)
        said = versions["foreign"] if versions else {"count": 0, "keys": []}
        self.files = {key: data for key, data in sorted(self.files.items()) if key.startswith("evidence/")}
        self.beside = set(said["keys"]) | {key for key in self.files if key.rsplit("/", 1)[-1] in SYSTEM}
        self.more, self.foreign = said["count"] - len(said["keys"]), set()
        self.files = {key: data for key, data in self.files.items() if key.rsplit("/", 1)[-1] not in SYSTEM}
        for entry in objects or []:
            key, data = entry["key"], self.files.get(entry["key"])
            self.same("objects.json", "its shape", set(entry), {"key", "version_id", "etag", "sha256", "bytes"})
            self.same(key, "the number of its versions", key in self.listed, False)
            self.listed[key] = entry
            if data is None or (sha(data), len(data)) != (entry["sha256"], entry["bytes"]):
                self.bad(key, "is not what objects.json lists", 3 if data is None else 2)
        for key in set(self.files) - set(self.listed) if objects else (): self.bad(key, "is a foreign file")
        self.docs = {key: doc for key, data in self.files.items() if key.endswith(".json") and not key.endswith(tuple(SIGNED))
                     and not key.startswith(ROOT + "m2j_") and (doc := self.parse(key, data, dict)) is not None}
        for key, doc in self.docs.items(): self.same(key, "its folder", "artifact" in doc and
            key.startswith((ROOT + doc.get("phase_execution_id", ""), "evidence/runs/")), True)
        for key, doc in self.docs.items(): doc.get("artifact") == "m3a_handle_closure_snapshot" and self.verified(key, doc)
        last = ((history or {}).get("events") or [{}])[-1]
        word = {**last.get("executionSucceededEventDetails", {}), **last.get("executionFailedEventDetails", {})}
        outcome = json.loads(word.get("output") or word.get("cause") or "{}")
        self.arn, self.said = (history or {}).get("execution_arn"), outcome.get("closure")
        history is None or self.same("execution_history.json", "its shape", set(history), {"execution_arn", "events"})
        history is None or self.said or self.bad("execution_history.json", "the execution ended without a verdict", 3)
        self.walk()
        self.advance = self.meaning(self.docs[self.phase]) if self.phase else None
    def bad(self, subject, detail, grade=2): self.findings[grade, subject, detail] = grade
    def same(self, subject, what, found, expected): found == expected or self.bad(subject, f"{what} is not what it must be")
    def parse(self, name, data, kind, limit=1 << 20):
        try:
            value = json.loads(data.decode("utf-8"), parse_float=integer, parse_int=integer, parse_constant=integer)
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # refuses lone surrogates
            if isinstance(value, kind) and len(data) <= limit and canonical(value) + b"\n" == data: return value
            self.bad(name, "is not canonical JSON of its shape")
        except (ValueError, RecursionError) as error: self.bad(name, str(error))
    def name(self, ref, by):
        key, data, listed = ref["key"], self.files.get(ref["key"]), self.listed.get(ref["key"], {})
        if self.bucket not in (None, ref["bucket"]): return self.outside.add((ref["bucket"], key, ref["version_id"]))
        self.named.add(key)
        self.hashes += data is not None
        if data is None or sha(data) != ref["sha256"] or ref.get("bytes", len(data)) != len(data):
            return self.bad(key, f"is not what {by} names", 3 if data is None else 2)
        if listed and any(ref.get(field) not in (None, listed[field]) for field in ("version_id", "etag")):
            self.bad(key, f"has another version or entity tag than {by} names")
        return True
    def verified(self, key, doc):
        passes, none = [result.get("pass") for result in doc["verification_results"]], "not_verified"
        for result, held in zip(doc["verification_results"], passes):  # revision 1 says no status, and no methods
            status = result.get("status", {True: "PASS", False: "FAIL"}.get(held, "none"))
            self.same(key, f"the status of {result['check']}", status in {True: ["PASS"], False: ["FAIL", "INCONCLUSIVE"],
                                                                         None: ["NOT_CONFIGURED"]}.get(held, []), True)
        self.same(key, "its verdict", doc["overall_pass"] and False in passes, False)
        methods = doc.get("verification_method_by_handle")
        if methods is None: return
        self.same(key, "the list of its methods", sorted(methods), sorted(doc["required_handles"]))
        self.same(key, "a handle without a value", {methods.get(handle) for handle in doc["unresolved_handles"]} <= {none}, True)
        self.same(key, "a verified handle", doc["overall_pass"] and none in methods.values(), False)
    def walk(self):
        ledger = {key: doc for key, doc in self.docs.items() if key ==
                  f"evidence/runs/{doc.get('platform_run_id')}/ledger/{doc.get('sequence', 0):06}.json"}
        self.ledger, self.named, self.commit, open_, lasts = list(ledger.values()), set(ledger), None, [], []
        self.gap = self.broken = any(record["sequence"] != n for n, record in enumerate(self.ledger, 1))
        self.gap and self.bad("ledger", "a record is missing", 3)
        machines = {arn.rsplit(":", 1)[0] for arn in [record["holder"] for record in self.ledger] + [self.arn] if arn}
        len(machines) > 1 and self.bad("ledger", "its holders are executions of more than one state machine")
        for key, record in ledger.items():
            said = {"verdict", "summary"} if record["kind"] == "COMMITTED" else set()
            shape = (record["schema_version"], record["artifact"], record["phase_id"], record["sequence"] > 0)
            self.same(key, "its shape", (set(record), shape), (RECORD | said, (1, "p1_ledger_record", "P1", True)))
            self.same(key, "its holder", bool(HOLDER.fullmatch(record["holder"]) and record["kind"] in KINDS), True)
        for key, record in ((key, record) for key, record in ledger.items() if record["kind"] == "COMMITTED"):
            self.commit = record if self.arn in (None, record["holder"]) else self.commit
            self.bucket = self.bucket or record["summary"]["bucket"]
            self.name(record["summary"], key)
            lasts.append(record["summary"]["key"].rsplit("/", 1)[0] + "/m3j_execution_summary.json")
        if self.commit is None:
            ends = [key for key in self.files if key.endswith("/m3j_execution_summary.json")] or ["m3j_execution_summary"]
            lasts += [end for end in ends if end == (self.said or {}).get("key")] or ends[:1]
        for key in lasts:
            self.named |= {key, *(key.rsplit("/", 1)[0] + "/" + name for name in (KEY, *SIGNED))}
            phase, doc = key.rsplit("/", 1)[0] + "/m3_execution_summary.json", self.docs.get(key)
            key in self.files or self.bad(key, "is not there, and M3.J ends with it", 3)
            if self.commit is None or self.commit["summary"]["key"] == phase: self.phase = phase if phase in self.docs else None
            self.broken |= doc is None or phase not in self.docs
            open_ += [(closure, phase) for closure in self.docs.get(phase, {}).get("closures", [])]
            if doc:
                self.bucket = self.bucket or doc["upstream"][0]["bucket"]
                open_.append(({"step": "M3.J", "bucket": self.bucket, "key": key, "sha256": sha(self.files[key]),
                    "version_id": self.listed.get(key, {}).get("version_id"), "overall_pass": doc["overall_pass"],
                    "phase_execution_id": doc["phase_execution_id"]}, "the directory"))
        while open_:
            closure, by = open_.pop()
            if closure in self.seen: continue
            self.seen.append(closure)
            key, doc = closure["key"], self.docs.get(closure["key"])
            lost = not self.name(closure, by) or doc is None or doc["artifact"] != SUMMARY.get(closure["step"])
            self.broken |= lost
            if lost: continue
            for ref in doc["artifacts"] + doc["inputs"]: self.name(ref, key)
            self.closures.append((closure, doc))
            open_ += [(upstream, key) for upstream in doc["upstream"]]
        run = (self.ledger[0] if self.ledger else self.docs.get(self.phase, {})).get("platform_run_id")
        for key in set(self.files) - self.named:  # below the run's root, but for the ledger, others write too
            if run and key.startswith(root := f"evidence/runs/{run}/") and not key.startswith(root + "ledger/"): self.foreign.add(key)
            else: self.bad(key, "is named by no closure there", 3 if self.broken else 2)
        self.findings = {found: grade for found, grade in self.findings.items() if found[1] not in self.foreign}
        self.docs, self.files = ({key: value for key, value in of.items() if key not in self.foreign} for of in (self.docs, self.files))
        for key in lasts: self.signed(key, key.rsplit("/", 1)[0] + "/")
    def signed(self, key, place):
        found = {name: self.files[place + name] for name in (KEY, *SIGNED) if place + name in self.files}
        for name in {KEY, *SIGNED} - set(found) if found else (): self.bad(place + name, "is not there, as others are", 3)
        doc, phase = self.docs.get(key), self.docs.get(place + "m3_execution_summary.json", {})
        walked = [below for closure, below in self.closures if closure in phase.get("closures", [])]
        if KEY not in found or not doc or not phase or len(walked) < len(phase["closures"]): return
        spki = base64.b64encode(der := base64.b64decode(b"".join(found[KEY].split(b"\n")[1:3]))).decode()
        self.same(place + KEY, "its form", found[KEY].decode(),
                  f"-----BEGIN PUBLIC KEY-----\n{spki[:64]}\n{spki[64:]}\n-----END PUBLIC KEY-----\n")
        refs, run = {ref["name"]: ref for ref in doc["artifacts"]}, ("run", "run_header", "m4_handoff_pack")
        about = phase["closures"] + [ref for below in walked for ref in below["artifacts"] if ref["name"] in run] + \
            [refs[name] for name in ("m3_execution_summary", "p1_ledger_record") if name in refs]
        about = sorted({(ref["key"], ref["sha256"]) for ref in about} | {(key, sha(self.files[key]))})
        identity, committed, ids = doc["phase_execution_id"], "p1_ledger_record" in refs, {i: phase[i] for i in IDS if i in phase}
        root, verdict = f"evidence/runs/{ids[IDS[0]]}/" if ids else place, phase["verdict"] if committed else "HOLD_M3"
        codes = sorted({blocker["code"] for blocker in phase["unresolved_blockers"] + doc["blockers"]})
        for name in set(SIGNED) & set(found):
            envelope = self.parse(place + name, found[name], dict)
            arn = json.loads(base64.b64decode(envelope["payload"]))["predicate"].get("execution")
            predicate = {"verdict": verdict, "committed": committed, "adjudication": phase["adjudication"], "run": ids,
                "execution": arn if sha(f"{arn}\nM3.J".encode())[:12] == identity[-12:] else None, "unresolved_codes": codes,
                "execution_stamp_utc": phase["execution_stamp_utc"], "phase_execution_id": identity, "not_reached":
                phase["not_reached"]} if arn else {"verifier": {"id": "urn:p1:verifier:m3j"}, "policy": {"uri":
                "urn:p1:policy:run-pinning:1"}, "verificationResult": "PASSED" if verdict[:1] == "A" else "FAILED",
                "verifiedLevels": ["P1_RUN_PINNED" if verdict[:1] == "A" else "FAILED"],
                "timeVerified": phase["execution_stamp_utc"], "resourceUri": f"s3://{self.bucket}/{root}"}
            payload = canonical({"_type": "https://in-toto.io/Statement/v1", "predicateType": SIGNED[name],
                "subject": [{"name": key, "digest": {"sha256": digest}} for key, digest in about], "predicate": predicate})
            said = {"payload": base64.b64encode(payload).decode(), "payloadType": "application/vnd.in-toto+json",
                    "signatures": [{"keyid": sha(der), "sig": envelope["signatures"][0]["sig"]}]}
            self.same(place + name, "its statement", envelope, said)
    def meaning(self, phase):
        advance, self.run = phase["verdict"] == "ADVANCE_TO_M4", {i: phase[i] for i in IDS if i in phase}
        for before, record in zip([{}] + self.ledger, [] if self.gap else self.ledger):
            legal = (before.get("kind"), before.get("holder")) == ("ACQUIRED", record["holder"])
            legal = legal if record["kind"] == "COMMITTED" else before.get("verdict") != "ADVANCE_TO_M4"
            legal &= before.get("holder") != record["holder"] or before["holder_stamp_utc"] == record["holder_stamp_utc"]
            self.same("ledger", "its order", legal, True)
        holders = {(r["holder"], r["holder_stamp_utc"]) for r in self.ledger} or {(self.arn, phase["execution_stamp_utc"])}
        self.same("execution_history.json", "its holder", self.arn in {holder for holder, _ in holders} | {None}, True)
        derived = {f"m3{'g' if step == 'ADMISSION' else step[-1].lower()}_{stamp.replace('-', '').replace(':', '')}_" +
                   sha(f"{arn}\n{step}".encode())[:12]: step for step in SUMMARY for arn, stamp in holders}
        by_step, own, fields = {}, {}, set.intersection(*(set(doc) for _, doc in self.closures)) | {*IDS, "not_stored"}
        for closure, doc in self.closures:
            key, step, identity = closure["key"], closure["step"], closure["phase_execution_id"]
            self.same(key, "its id", self.arn is None or derived.get(identity) == step, True)
            self.same(key, "its place", key, f"{ROOT}{identity}/{SUMMARY[step]}.json")
            self.same(key, "its fields", set(doc) - fields, set())
            facts = (doc["overall_pass"], doc["blocker_count"], doc["next_gate"] == "HOLD")
            self.same(key, "its verdict", facts, (closure["overall_pass"], len(doc["blockers"]), not facts[0]))
            self.same(key, "its verdict", facts[0] and bool(doc.get("not_stored")), False)
            last = step == "M3.J" and identity == phase["phase_execution_id"]
            own |= {ref["name"]: ref for ref in doc["artifacts"] if last or closure in phase["closures"]}
            by_step |= {step: doc} if closure in phase["closures"] else {}
            if last:
                self.same(key, "its upstream", doc["upstream"], phase["closures"])
                said = self.said or closure
                self.same("execution_history.json", "its closure", (said["key"], said["sha256"]), (key, closure["sha256"]))
                self.commit and self.same(self.phase, "the receipt for M4", "m4_entry_readiness_receipt" in own, advance)
        # What later phases gate on. Evidence of revision 1 has none of it; of later evidence no part may be missing.
        gates = ("m4_entry_ready", "blocker_count", "blockers")
        if any(name in phase for name in ("next_gate", *gates)):
            listed = [{name: blocker[name] for name in ("code", "subject", "detail")} for blocker in phase["unresolved_blockers"]]
            said = [phase.get(name) for name in ("next_gate", *gates)]
            self.same(self.phase, "what later phases gate on", said, ["M4_READY" if advance else "HOLD", advance, len(listed), listed])
        for key, doc in self.docs.items():
            if doc.get("artifact") == "m4_entry_readiness_receipt":
                said = [doc["next_gate"], doc["overall_pass"]] + [doc[name] for name in gates if name in doc]
                meant = ["M4_READY", True] + ([True, 0, []] if any(name in doc for name in gates) else [])
                self.same(key, "what later phases gate on", said, meant)
        for key, doc in self.docs.items():
            self.same(key, "its run", {i: doc[i] for i in IDS if i in doc}, {i: self.run.get(i) for i in IDS if i in doc})
        if seed := self.docs.get(own.get("m3b_run_identity_seed", {}).get("key"), {}).get("seed_inputs"):
            digest = sha(canonical(seed["digest_input"]))
            known = {**seed, **seed["digest_input"], "config_digest": digest}
            scenario = "scenario_" + sha(canonical({field: known[field] for field in seed["scenario_fields"]}))[:32]
            ids = {"scenario_run_id": scenario, "config_digest": digest}
            self.same("m3b_run_identity_seed", "the run's ids", {**ids, **self.run} | ids, {**ids, **self.run})
            self.same("m3b_run_identity_seed", "its digest", seed["config_digest"], digest)
        if len(by_step) == len(phase["closures"]):
            codes = sorted({b["code"] for doc in by_step.values() for b in doc["blockers"] if b["code"] != "M3I-B7"})
            hold = codes or not set(STEPS[:8]) <= set(by_step)
            word = "NO_GO_RESET_REQUIRED" if S1 & set(codes) else "HOLD_REMEDIATE" if hold else "ADVANCE_TO_M3J"
            if verdict := self.docs.get(own.get("m3i_p1_verdict", {}).get("key")):
                self.same("m3i_p1_verdict", "its verdict", (verdict["verdict"], verdict["unresolved_codes"]), (word, codes))
                self.same(self.phase, "its adjudication", phase["adjudication"], word)
            green = word == "ADVANCE_TO_M3J" and not phase["unresolved_blockers"] and phase["commit"] == "TO_BE_COMMITTED" \
                and all(doc["overall_pass"] for doc in by_step.values()) and STEPS[8] in by_step
            self.same(self.phase, "its verdict", advance, green)
        self.same("ledger", "the committed verdict", (self.commit or phase)["verdict"], phase["verdict"])
        if self.commit or (phase["commit"] == "NO_LEDGER" and not self.ledger and not advance): return advance
        self.bad("ledger", "has no COMMITTED record of this verdict: it is void", 3)
def verify(folder):
    if not (pathlib.Path(folder, "evidence").is_dir() or pathlib.Path(folder, "objects.json").is_file()):
        return {"exit_status": 4, "findings": [[4, folder, "is no evidence directory"]]}
    try:
        check = Check(folder)
        status = min(check.findings.values(), default={True: 0, False: 1, None: 3}[check.advance])
        return {"exit_status": status, "run": check.run, "foreign": len(check.foreign | check.beside) + check.more,
                "findings": list(check.findings)[:50],
                "counts": [len(check.files), check.hashes, len(check.closures), len(check.outside)]}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        return {"exit_status": 2, "foreign": 0, "findings": [[2, folder, f"a document has another shape: {error!r}"]]}
if __name__ == "__main__":
    said = {"exit_status": 4}
    for folder in (line.rstrip("\n") for line in sys.stdin) if sys.argv[1:] == ["-"] else sys.argv[1:]:
        print(json.dumps(said := verify(folder)), flush=True)
    sys.exit(said["exit_status"])
