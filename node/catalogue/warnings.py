"""What a scenario file may say, and its author should know: `check` and `run` tell it and go on."""

from __future__ import annotations

from node.catalogue.explanation import FINE, Explanation

WARNINGS: dict[str, Explanation] = {
    "W-BYZANTINE": Explanation(
        "more liars than the protocol can bear",
        FINE,
        "PBFT promises agreement while at most f = (n - 1) // 3 voters lie or have forgotten what they\n"
        "said. Faults of this scenario make more of them do so, for good: nothing is promised then, and\n"
        "what the run shows is what such voters can do.",
    ),
    "W-COLLUDE": Explanation(
        "openers can read what is sealed early",
        FINE,
        "Whoever holds as many shares as the threshold says has the key, whatever the clock says: when to\n"
        "open is kept by every node, and not by those who break their word together.",
    ),
    "W-CONSENT": Explanation(
        "a disclosure will be refused",
        FINE,
        "By the owner's rule (`redisclose`) and the consents before it, the reader that is to show it may\n"
        "not. Its client refuses the step with E-CONSENT. `do: consent` before it lets it happen;\n"
        "`breach: true` plays a modified client that asks nobody.",
    ),
    "W-EXPECT": Explanation(
        "an expectation contradicts the scenario",
        FINE,
        "If the run goes as the file says, this rule will be broken: the readers that it names are not\n"
        "those that the steps name.",
    ),
    "W-FAULTS": Explanation(
        "more faulty voters than are tolerated",
        FINE,
        "With n voters, f = (n - 1) // 3 may be faulty. With one to three voters f is 0: one that stops\n"
        "or lies stops the network. Four voters tolerate one. Faults that together harm more than f may\n"
        "stop the network for as long as they last: that is no failure if a `stall` is expected.",
    ),
    "W-FEW": Explanation(
        "a total of few values",
        FINE,
        "All contributors but one, if they talk, know the last one's value from the total. With\n"
        "four there is also no total at all as soon as one of them is away.",
    ),
    "W-LATE": Explanation(
        "nothing will notice this fault",
        FINE,
        "It begins when all transactions are sent, and no expectation names it. Nobody misses an idle\n"
        "primary: without work there is nothing that could fail.",
    ),
    "W-META": Explanation(
        "metadata is visible",
        FINE,
        "Who sent a transaction, when, and its padded size are known to everyone, also to those who may\n"
        "not read it.",
    ),
    "W-OPENER": Explanation(
        "a sender holds shares of what its rivals send",
        FINE,
        "An opener that also sends under the seal needs fewer accomplices to read the others early.",
    ),
    "W-PUBLIC": Explanation(
        "a private text is public elsewhere",
        FINE,
        "A text of a payload is also the name or title of a party, which stand in logs and in the\n"
        "genesis file. Nobody can tell by searching whether it leaked.",
    ),
    "W-SEAL": Explanation(
        "a seal that does not do what seals are for",
        FINE,
        "Nothing lies under it, no step opens it, something comes too late for it, or a mandatory\n"
        "reader need not wait for it.",
    ),
    "W-TOTALS": Explanation(
        "totals that give a value away",
        FINE,
        "Two totals of the same field over sets that differ by one party have that party's value as their\n"
        "difference; by two, each of the two learns the other's. More totals can do it together. The round\n"
        "that would do so ends without a total.",
    ),
    "W-UNSTATED": Explanation(
        "transactions without a rule",
        FINE,
        "Nothing in `expect:` says who may read them, so a change of their readers would go unnoticed.",
    ),
    "W-VOTERS": Explanation(
        "voters that add nothing",
        FINE,
        "Only n = 3f + 1 voters make full use of each one: 5 and 6 voters tolerate the same single\n"
        "fault as 4.",
    ),
    "W-WAIT": Explanation(
        "a height that never comes",
        FINE,
        "Idle time makes no blocks: a ledger grows by one block for each transaction at most. A step\n"
        "that waits for a higher one is never carried out, and its run is unconfirmed.",
    ),
}
