"""What can be wrong in a scenario file, or in the same words at the command line."""

from __future__ import annotations

from node.catalogue.explanation import SCENARIO_INVALID, Explanation

SCENARIO_ERRORS: dict[str, Explanation] = {
    "E-DURATION": Explanation(
        "a length of time without its unit",
        SCENARIO_INVALID,
        "A length of time is a number and a unit: 250ms, 1.5s, 2m, 1h.",
    ),
    "E-FAULT": Explanation(
        "no such fault",
        SCENARIO_INVALID,
        "An expectation names a fault by the id of its step. Without an id, the third step of a file is\n"
        "fault-3.",
    ),
    "E-FEW": Explanation(
        "too few for a total",
        SCENARIO_INVALID,
        "A total of two values gives each of the two the other's, and one of three is no secret to two that\n"
        "talk. So at least 4 parties contribute to an aggregate, the coordinator not among them; no node\n"
        "takes a round for fewer. `minimum` says with how many values there is a total at all: it can be\n"
        "more than 4, and not less.",
    ),
    "E-FILE": Explanation(
        "the scenario file cannot be read",
        SCENARIO_INVALID,
        "A scenario is one file of text in UTF-8, at most 1 MiB. `privity init --list` names those that\n"
        "come with Privity.",
    ),
    "E-ID": Explanation(
        "an id is used twice",
        SCENARIO_INVALID,
        "Messages and expectations name a transaction by the id of its step, so each id stands for one\n"
        "thing. A load named traffic also uses traffic-0001 and so on.",
    ),
    "E-KEY": Explanation(
        "unknown key",
        SCENARIO_INVALID,
        "A key that the format does not have is refused, because a typo would otherwise change a\n"
        "scenario in silence. Inside {…} a comma begins the next key: quote text that has one, as in\n"
        '{title: "Smith, Jones"}.',
    ),
    "E-MISSING": Explanation(
        "something is missing",
        SCENARIO_INVALID,
        "A key without which the scenario says too little. `privity check --fill` shows what is filled\n"
        "in by default.",
    ),
    "E-NAME": Explanation(
        "not a usable name",
        SCENARIO_INVALID,
        "Names of parties and ids of steps are words of a-z and 0-9 joined by hyphens: a party's at\n"
        "most 32 characters, an id at most 40. They stand in logs and topics, where +, # and / mean\n"
        "something.",
    ),
    "E-NOT-YET": Explanation(
        "known, and not built yet",
        SCENARIO_INVALID,
        "Privity knows this word and will not pretend: what is not built is refused, never silently\n"
        "ignored.",
    ),
    "E-PARTIES": Explanation(
        "the parties cannot form a network",
        SCENARIO_INVALID,
        "At least one party is needed, at least one must vote, and no name may come twice. A series\n"
        "such as bank-[a..g] stands for seven names.",
    ),
    "E-PARTY": Explanation(
        "no party of that name",
        SCENARIO_INVALID,
        "Every name used in a step or an expectation must be one of `parties`.",
    ),
    "E-PRIVATE": Explanation(
        "a private value in a public place",
        SCENARIO_INVALID,
        "Ids stand in logs, which everybody may read. A value of a payload that is part of an id is not\n"
        "private, and the canary scan would rightly report it.",
    ),
    "E-REASON": Explanation(
        "not a usable reason",
        SCENARIO_INVALID,
        "A disclosure and a request state their reason on the ledger, in public: one line of 1 to 200\n"
        "characters, without control or invisible ones. Say nothing private in it.",
    ),
    "E-TYPE": Explanation(
        "another kind of value is expected",
        SCENARIO_INVALID,
        "Text, number, list and map are different things. In YAML 1.2 only true and false are booleans;\n"
        "yes, no, on and off are text.",
    ),
    "E-UNIT": Explanation(
        "a number without its unit",
        SCENARIO_INVALID,
        "A rate is written 4/s or 90/m, a size 512B or 4KiB.",
    ),
    "E-VALUE": Explanation(
        "not a possible value",
        SCENARIO_INVALID,
        "The key exists, and what stands behind it is none of the values it can have. The message names\n"
        "them.",
    ),
    "E-YAML": Explanation(
        "not well-formed YAML",
        SCENARIO_INVALID,
        "The text does not follow YAML 1.2, uses a key twice, or uses tags. Indentation is made of\n"
        "spaces, and text with : or # or quotes in it is best quoted.",
    ),
}
