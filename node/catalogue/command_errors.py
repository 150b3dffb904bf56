"""What can keep a command from being carried out, a run from its end, or a check from holding."""

from __future__ import annotations

from node.catalogue.explanation import (
    CHECK_FAILED,
    NOT_ALLOWED,
    NOT_REACHABLE,
    UNCONFIRMED,
    WRONG_USAGE,
    Explanation,
)

COMMAND_ERRORS: dict[str, Explanation] = {
    "E-ANSWER": Explanation(
        "a question has no answer",
        WRONG_USAGE,
        "`privity init --ask` asks seven questions. On a terminal it asks again until an answer can be\n"
        "used; from a pipe it reads one line for each, and stops at the first that cannot.",
    ),
    "E-BLOCK": Explanation(
        "no such block",
        WRONG_USAGE,
        "A block is named by its height, counted from 1. The chain of one node can be shorter than that\n"
        "of another for a moment; `privity ps` shows how far each is.",
    ),
    "E-BROKER": Explanation(
        "the broker does not answer",
        NOT_REACHABLE,
        "Nothing accepted an MQTT connection at the address given. Start the broker, mend the address,\n"
        "or use --broker embedded, which needs nothing installed.",
    ),
    "E-BUG": Explanation(
        "Privity itself failed",
        UNCONFIRMED,
        "This should not happen, and is not your mistake. The message names the place in the program\n"
        "and the kind of error, and nothing else, because its text could quote a payload.",
    ),
    "E-CODE": Explanation(
        "no such code",
        WRONG_USAGE,
        "`privity explain` without a code lists them all.",
    ),
    "E-CONSENT": Explanation(
        "the owner has not agreed to that",
        UNCONFIRMED,
        "What was sent with `redisclose: with-consent` is shown on by its readers only to those for whom\n"
        "its sender has agreed in public (`privity consent`) and not withdrawn it (`privity revoke`); with\n"
        "`forbidden` by its sender alone. A key stops nobody: this refusal is that of an honest client.\n"
        "Who gets round it is refused by receivers' nodes, and readers keep a proof of it.",
    ),
    "E-DISK": Explanation(
        "the disk refused a write",
        UNCONFIRMED,
        "A node never sends a vote that is not on its disk, so a node that cannot write stops voting\n"
        "and says so. Free some space, then start it again: it resumes from what it had written.",
    ),
    "E-ERASED": Explanation(
        "the content is erased",
        NOT_ALLOWED,
        "Its sender had it kept for some blocks only (`keep`), and every node erases it when they are over.\n"
        "It can be neither read nor shown any more; its salted hash stays on the ledger. What would carry\n"
        "it to others must be erased no later, so with one block left there is no time to show it either.",
    ),
    "E-FIELD": Explanation(
        "no such field",
        WRONG_USAGE,
        "A field is named as `privity show tx` prints it: price, terms.days, parts[0]; the name of a map or\n"
        "list stands for all that is in it. The message counts the names that were given, never quotes\n"
        "one.",
    ),
    "E-FROZEN": Explanation(
        "the virtual world stopped",
        CHECK_FAILED,
        "An invariant that every correct replica must keep was broken, or the program itself fell over,\n"
        "so nothing that came after would mean anything. This is a mistake of Privity and not yours:\n"
        "please report it, with the command and its seed.",
    ),
    "E-GENESIS": Explanation(
        "the genesis file cannot be trusted",
        NOT_REACHABLE,
        "genesis.json holds the consortium as its first voter signed it, and the same in readable form.\n"
        "Both must agree, because everything that a node or a client believes hangs on it.",
    ),
    "E-JOURNAL": Explanation(
        "a journal is damaged",
        NOT_REACHABLE,
        "A node writes all that it must remember into its journal, each record with a checksum. A node\n"
        "whose journal is damaged might contradict its own earlier votes, so it does not vote; nobody\n"
        "else is held up by it.",
    ),
    "E-KEYS": Explanation(
        "a party's keys cannot be used",
        NOT_REACHABLE,
        "Each party has a signing key and a wrapping key, two files of mode 600 that hold two different\n"
        "keys.",
    ),
    "E-LEAK": Explanation(
        "a secret would stand in the report",
        CHECK_FAILED,
        "Each report is searched before it is kept, for every payload, salt and key of the run that its\n"
        "audience may not read. One was found, so the report was not written. Most often a text for people,\n"
        "such as `about:`, repeats a value of a payload.",
    ),
    "E-LIMIT": Explanation(
        "over a limit",
        WRONG_USAGE,
        "A payload has at most 256 leaves, 8 levels and 64 KiB; a transaction at most 31 readers beside\n"
        "the sender; a consortium at most 64 parties.",
    ),
    "E-MISMATCH": Explanation(
        "nodes contradict each other",
        CHECK_FAILED,
        "Two nodes hold different blocks at one height. Among correct nodes that never happens as long as\n"
        "at most f voters are faulty: `privity logs --ev 'evidence.*'` shows who signed what.",
    ),
    "E-NO-RUN": Explanation(
        "no such run",
        NOT_REACHABLE,
        "There is no run folder of that number below .privity/runs, or it is gone. `privity up FILE`\n"
        "makes one.",
    ),
    "E-NODE": Explanation(
        "a process of the run ended by itself",
        UNCONFIRMED,
        "A node, the broker or the recorder ended without being asked to. Its folder below nodes/ or\n"
        "broker/ holds its last words in stderr.log.",
    ),
    "E-NOT-OPENER": Explanation(
        "this party is no opener of the seal",
        NOT_ALLOWED,
        "Only the openers that the policy names hold a share of what lies under a seal.",
    ),
    "E-NOT-PARTY": Explanation(
        "this party may not read it",
        NOT_ALLOWED,
        "Only the sender and the named parties hold a key to the content. Others hold the commitment: a\n"
        "salted hash that shows that something was ordered, when, and by whom.",
    ),
    "E-NOT-RUNNING": Explanation(
        "the run has stopped",
        NOT_REACHABLE,
        "What is on the disk can still be shown (`privity show`, `who-sees`, `logs`), but nobody is\n"
        "there to order a transaction or to answer a ping. `privity up FILE` starts a new run.",
    ),
    "E-OBJECT": Explanation(
        "no such private object",
        WRONG_USAGE,
        "A private object belongs to its audience: the sender and the readers of the transactions that\n"
        "write it. The same name in another audience is another object, and nobody else can tell whether\n"
        "there is one. `privity show object NAME --as P` shows what P has; a name has 1 to 64 characters.",
    ),
    "E-PACKAGE": Explanation(
        "a package is not installed",
        WRONG_USAGE,
        "Something beyond what Privity itself needs was asked for. Install the package that is named into\n"
        "the environment that Privity runs in.",
    ),
    "E-PAYLOAD": Explanation(
        "this cannot be a payload",
        WRONG_USAGE,
        "A payload is a map of named fields. A value is a map, a list, text, a number (a whole number\n"
        "of 64 bits, or a finite decimal), true, false, null or bytes. The message counts fields, never\n"
        "quotes them.",
    ),
    "E-PORT": Explanation(
        "the port cannot be used",
        NOT_REACHABLE,
        "Another program listens on the port that was asked for, or the system does not let this user\n"
        "have it. Without a port being asked for, a free one is found.",
    ),
    "E-READY": Explanation(
        "the network is not ready in time",
        UNCONFIRMED,
        "Ready means: block 1 is committed with the same hash on every node. `privity logs --level\n"
        "warn` shows what the nodes miss; a slow machine may simply need longer.",
    ),
    "E-RECEIPTS": Explanation(
        "too few readers have the payload",
        UNCONFIRMED,
        "With `payload: off_chain` the readers' nodes sign that they hold a payload before it is ordered,\n"
        "as many as `privacy.copies` says. Fewer did within `receipt_timeout`, so nothing was ordered.\n"
        "A reader that did answer has read it all the same.",
    ),
    "E-RUN": Explanation(
        "a run gave no verdict",
        UNCONFIRMED,
        "A run that was started to be compared or repeated ended without one; the message quotes its last\n"
        "words. Run it by itself to see all of them.",
    ),
    "E-RUNNING": Explanation(
        "a run is up already",
        WRONG_USAGE,
        "send, ps, logs and down mean the latest run unless --run names one, so a second `up` is\n"
        "refused while one is up. PRIVITY_HOME names another folder for a second network.",
    ),
    "E-SCAN": Explanation(
        "the leak scan cannot be trusted",
        UNCONFIRMED,
        "Each scan hides secrets of its own and must find them again. It did not, or a file of the run\n"
        "could not be read, so nothing can be said of leaks: neither that there are any nor that there\n"
        "are none.",
    ),
    "E-SEAL": Explanation(
        "no such seal, or not for this",
        WRONG_USAGE,
        "Seals are part of the consortium's policy and stand in the scenario file: who opens them together,\n"
        "from when on, and who reads then. None can be added while a network is up.",
    ),
    "E-SEAL-EARLY": Explanation(
        "the seal does not open yet",
        NOT_ALLOWED,
        "A seal is open from the first committed block whose time, or height, is at or after `opens_at`. A\n"
        "request that is ordered before has no effect, on any node. It stays on the ledger, signed by who\n"
        "made it.",
    ),
    "E-SEAL-LATE": Explanation(
        "too late for this seal",
        NOT_ALLOWED,
        "A payload that is ordered in or after the block that opens its seal is refused by every node: it\n"
        "could have been written by somebody who knows the others.",
    ),
    "E-STALE": Explanation(
        "a write of a private object had no effect",
        CHECK_FAILED,
        "It expected a version that the object does not have any more: another write came first on the\n"
        "ledger. All parties of the object judge alike. `privity show object NAME --as P` shows the version\n"
        "that it has; write again with `--expects` that one, if the write still makes sense.",
    ),
    "E-STUCK": Explanation(
        "a process does not stop",
        UNCONFIRMED,
        "Even SIGKILL did not end it, which happens while a disk does not answer.",
    ),
    "E-TEMPLATE": Explanation(
        "no such template",
        WRONG_USAGE,
        "`privity init --list` shows the scenario files that come with Privity.",
    ),
    "E-TIMEOUT": Explanation(
        "it did not happen in time",
        UNCONFIRMED,
        "What was waited for may still come. `privity why` tells what the network waits for.",
    ),
    "E-TRIGGER": Explanation(
        "a step was not carried out",
        UNCONFIRMED,
        "It waits for a height or a view (`at: {height: 20}`) that the network never came to, or speaks of\n"
        "a transaction that was not sent by then. A step is given up once nothing else is under way that\n"
        "could bring the network there. The run goes on, and is unconfirmed.",
    ),
    "E-TX": Explanation(
        "no such transaction",
        WRONG_USAGE,
        "A transaction is named by the id it was submitted under, or by the first digits of its hash:\n"
        "at least four, and enough to tell it from the others. `privity logs --ev tx.submit` lists\n"
        "them.",
    ),
    "E-UNCONFIRMED": Explanation(
        "not confirmed in time",
        UNCONFIRMED,
        "The transaction was handed to the broker and no proof of its order came back in time. It may\n"
        "be on the ledger already or get there later, until its validity window closes; `privity show\n"
        "tx` tells.",
    ),
    "E-USAGE": Explanation(
        "wrong usage",
        WRONG_USAGE,
        "`privity VERB --help` shows what a verb takes.",
    ),
}
