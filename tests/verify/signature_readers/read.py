"""Reads signed sidecars with securesystemslib and in-toto-attestation, which know nothing of P1.

    read.py KEY SIDECAR...

KEY is a public key in PEM. Each sidecar must be a DSSE envelope that securesystemslib verifies under it, around a Statement
that in-toto-attestation accepts; a verification summary must be one by its protobuf too. Exit status: 0 all are accepted,
1 one is not, 2 usage.
"""

import hashlib
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.predicates.vsa.v1 import vsa_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

VSA = "https://slsa.dev/verification_summary/v1"


def public_key(path):
    key = load_pem_public_key(path.read_bytes())
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return SSlibKey.from_crypto(key, keyid=hashlib.sha256(spki).hexdigest())


def read(path, key):
    """The statement in a sidecar, in words."""
    envelope = Envelope.from_dict(json.loads(path.read_bytes()))
    accepted = envelope.verify([key], 1)
    if list(accepted) != [key.keyid]:
        raise ValueError("is verified by another key")
    message = json_format.Parse(envelope.payload, statement_pb2.Statement())
    statement = Statement.copy_from_pb(message)
    statement.validate()
    kind = statement.pb.predicate_type
    if kind == VSA:
        predicate = json_format.MessageToDict(statement.pb.predicate)
        # The package's protobuf has one text here, where the specification has a list: it is held against the latter.
        levels = predicate.pop("verifiedLevels")
        if not isinstance(levels, list) or not levels or not all(isinstance(level, str) for level in levels):
            raise ValueError(f"verifiedLevels is no list of texts: {levels}")
        summary = json_format.ParseDict(predicate, vsa_pb2.VerificationSummary())
        named = (summary.verifier.id, summary.resource_uri, summary.policy.uri)
        if not all(named) or not summary.time_verified.seconds or summary.verification_result not in ("PASSED", "FAILED"):
            raise ValueError(f"lacks what a verification summary must have: {summary}")
    return f"{kind}, {len(statement.pb.subject)} subjects, {key.scheme}"


def main():
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    key = public_key(Path(sys.argv[1]))
    refused = 0
    for path in map(Path, sys.argv[2:]):
        try:
            print(f"accepted {path.name}: {read(path, key)}")
        except (VerificationError, json_format.Error, ValueError, KeyError) as error:
            refused += 1
            print(f"refused {path.name}: {error}")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
