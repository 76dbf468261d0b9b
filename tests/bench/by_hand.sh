#!/bin/sh
# The procedure that P1 replaces, done by hand: the plan's verification catalogue (M3.A … M3.J) with the AWS CLI. 60 calls:
# 13 probes, 44 uploads, 3 read-backs. One CLI call after the other, as a person or a script of today makes them; what the
# person thinks in between, the hashes and the documents themselves are not counted.
#
#   by_hand.sh FILES
#
# FILES is a directory with uploads.tsv: a line for each of the 44 documents: step, key and file, between tabs. The environment says
# where: BUCKET, RUN_ROOT (the prefix of the run's own documents), RUN_JSON, RUN_HEADER, HANDOFF_PACK, SNAPSHOT (keys), MACHINE
# (an ARN), MACHINE_NAME, ROLE, BILLING_BUCKET, BILLING_KEY. AT_ONCE (else 1) uploads of a step are made at once, where only the calls
# are counted. Prints how many calls it made.
set -eu

files=$1
calls=0
begun=
uploads=0

fail() {
    echo "by_hand.sh: $1" >&2
    exit 1
}

# What must succeed.
call() {
    calls=$((calls + 1))
    aws "$@" >"$files/answer" || fail "aws $1 $2 failed"
}

# What must not be there yet.
absent() {
    calls=$((calls + 1))
    if aws s3api head-object --bucket "$BUCKET" --key "$1" >"$files/answer" 2>&1; then fail "$1 is there already"; fi
    grep -q 404 "$files/answer" || fail "whether $1 is there could not be learned"
}

# Begins an upload, once there are fewer than AT_ONCE.
upload() {
    if [ "$uploads" -ge "${AT_ONCE:-1}" ]; then settle; fi
    calls=$((calls + 1))
    aws s3api put-object --bucket "$BUCKET" --key "$1" --body "$2" --if-none-match '*' >"$files/answer-$calls" </dev/null &
    begun="$begun $!"
    uploads=$((uploads + 1))
}

# Waits for the uploads that were begun.
settle() {
    for upload in $begun; do
        wait "$upload" || fail "aws s3api put-object failed"
    done
    begun=
    uploads=0
}

# Uploads the documents of a step.
upload_step() {
    tab=$(printf '\t')
    while IFS="$tab" read -r step key file; do
        if [ "$step" = "$1" ]; then upload "$key" "$files/$file"; fi
    done <"$files/uploads.tsv"
    settle
}

# Reads a document back and compares it with what was meant to be there.
read_back() {
    call s3 cp --only-show-errors "s3://$BUCKET/$1" "$files/back"
    cmp -s "$files/back" "$files/$2" || fail "$1 was read back with other bytes"
}

# M3.A: orchestrator surface, who we are, evidence bucket.
call stepfunctions list-state-machines
call sts get-caller-identity
call s3api head-bucket --bucket "$BUCKET"
call s3api get-bucket-versioning --bucket "$BUCKET"
upload_step M3.A
# M3.B: the run root is free.
call s3api list-objects-v2 --bucket "$BUCKET" --prefix "$RUN_ROOT"
grep -q '"Key"' "$files/answer" && fail "the run root $RUN_ROOT is not free"
upload_step M3.B
upload_step M3.C
# M3.D: the machine is there, its role is the one, nobody else is at it.
call stepfunctions describe-state-machine --state-machine-arn "$MACHINE"
grep -q "$ROLE" "$files/answer" || fail "the machine has another role"
call iam get-role --role-name "$ROLE"
call stepfunctions list-executions --state-machine-arn "$MACHINE" --status-filter RUNNING --max-items 10
upload_step M3.D
# M3.E: neither document is there; then both are, with these bytes.
absent "$RUN_JSON"
absent "$RUN_HEADER"
upload_step M3.E
read_back "$RUN_JSON" run_json
read_back "$RUN_HEADER" run_header
# M3.F: the snapshot that the handoff rests on is there; the pack has these bytes.
call s3api head-object --bucket "$BUCKET" --key "$SNAPSHOT"
upload_step M3.F
read_back "$HANDOFF_PACK" handoff_pack
# M3.G: one version of everything.
call s3api list-object-versions --bucket "$BUCKET" --prefix "$RUN_ROOT"
upload_step M3.G
# M3.H: the cost source.
call s3api head-object --bucket "$BILLING_BUCKET" --key "$BILLING_KEY"
upload_step M3.H
upload_step M3.I
upload_step M3.J
echo "$calls"
