"""What is odd in a definition is flagged, and nothing else is."""

import pytest
from lexmerge.definitions.flags import flags_of
from tables_definition_flags import counts

SENTENCE = (
    "An inflammation of the kidney that comes from infections, toxins, or the body's own defence, and "
    "which may end in kidney failure if nobody treats it in time"
)
TERMS = ["nephritis", "腎炎"]
PROMPT = {
    "en": "Define the term: nephritis\nAnswer with one short definition.",
    "ja": "次の用語の定義を書いてください：腎炎\n短い定義を一つだけ答えてください。",
}


def flags(text, language="ja", reason="stop"):
    return flags_of(text, reason, TERMS, PROMPT[language], language)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("腎臓に起こる炎症のこと。", "ja"),
        ("腎臓の炎症", "ja"),
        ("DNAの損傷による腎臓の病気", "ja"),
        ("急性化膿性炎症性疾患", "ja"),  # few letters, and no kana
        ("ヘモグロビン（Hb）値が12 g/dL未満", "ja"),
        ("Nephritis is an inflammation of the kidney (腎炎).", "en"),
        ("42", "en"),
        ("no, no, no, no", "en"),
        ("Level 1.0000000000000000000000000000", "en"),
        ("デオキシリボ核酸 (deoxyribonucleic acid) の略。", "ja"),
    ],
)
def test_a_plain_definition_has_no_flag(text, language):
    assert flags(text, language) == []


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("", "ja", ["empty"]),
        (" 。…\n", "ja", ["empty"]),
        ("腎炎", "ja", ["echo"]),
        ("「腎炎」、腎炎。", "ja", ["echo"]),
        ("Ｎｅｐｈｒｉｔｉｓ.", "en", ["echo"]),
        ("次の用語の定義を書いてください：腎炎", "ja", ["echo"]),
        ("Define the term: nephritis Answer with one short definition.", "en", ["echo"]),
        ("Inflammation of the kidney", "ja", ["wrong_language"]),
        ("腎臓の炎症", "en", ["wrong_language"]),
        ("肾炎是指肾脏发生的炎症性疾病，可由多种原因引起，包括感染和免疫反应", "ja", ["wrong_language"]),
        ("A disease. A disease. A disease. A disease. A dis", "en", ["repetition"]),
        ("oooo kidney oooo kidney oooo kidney oooo kidney ", "en", ["repetition"]),
        ((SENTENCE + " ") * 4, "en", ["repetition"]),
        ("静脈の壁を静脈の壁を静脈の壁を静脈の壁を静脈の壁を", "ja", ["repetition"]),
    ],
)
def test_what_is_odd_is_flagged(text, language, expected):
    assert flags(text, language) == expected


def test_a_text_that_was_cut_is_truncated_whatever_it_says():
    assert flags("腎臓に起こる炎", reason="length") == ["truncated"]


def test_latin_letters_are_foreign_where_they_only_spell_out():
    assert flags_of("Inflammation of the kidneys", "stop", ["nephritis", "肾炎"], "", "zh") == [
        "wrong_language"
    ]
    assert flags_of("肾脏的炎症", "stop", ["nephritis", "肾炎"], "", "zh") == []


def test_a_language_whose_script_is_not_known_is_never_wrong():
    assert flags_of("anything", "stop", TERMS, "", "xx") == []


def test_what_was_not_asked_has_no_flag_and_is_counted_apart():
    asked = {"finish_reason": "stop", "flags": ["echo", "wrong_language"], "tokens": 4}
    fine = {"finish_reason": "length", "flags": ["truncated"], "tokens": 9}
    absent = {"finish_reason": "not_asked", "flags": flags("", reason="not_asked"), "tokens": 0}
    assert counts("m", [asked, fine, absent]) == {
        "model": "m",
        "n": 2,
        "n_not_asked": 1,
        "truncated": 1,
        "empty": 0,
        "echo": 1,
        "wrong_language": 1,
        "repetition": 0,
        "mean_tokens": 6.5,
    }
