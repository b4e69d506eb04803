import pytest

from securitycamd.domain.clips import FAULT_SENTENCES, ClipError, ClipFault


@pytest.mark.parametrize("fault", ClipFault)
def test_each_fault_has_a_sentence_of_its_own(fault: ClipFault) -> None:
    sentence = FAULT_SENTENCES[fault]
    assert sentence.endswith(".")
    assert sum(sentence == other for other in FAULT_SENTENCES.values()) == 1


def test_only_what_may_pass_by_itself_is_tried_again() -> None:
    assert {fault for fault in ClipFault if fault.may_pass} == {
        ClipFault.MISSING_YET,
        ClipFault.HUNG,
        ClipFault.FFMPEG,
    }


def test_an_error_carries_the_sentence_for_people_and_the_fault_for_the_queue() -> None:
    error = ClipError(ClipFault.CUT_SHORT, FAULT_SENTENCES[ClipFault.CUT_SHORT])
    assert str(error) == "The clip ends before its first whole picture."
    assert error.fault is ClipFault.CUT_SHORT
    assert (error.status, error.title) == (422, "Clip not playable")
