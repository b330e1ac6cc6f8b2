import os

from embedder_svc.hardware import instruction_set, thread_count


def test_the_best_known_instruction_set_is_named(tmp_path):
    cpu_info = tmp_path / "cpuinfo"
    cpu_info.write_text("model name\t: X\nflags\t\t: fpu avx2 avx512f avx512_vnni\n")
    assert instruction_set(cpu_info) == "avx512_vnni"
    cpu_info.write_text("Features\t: fp asimd\n")
    assert instruction_set(cpu_info) == "asimd"


def test_an_unknown_processor_has_no_named_instruction_set(tmp_path):
    cpu_info = tmp_path / "cpuinfo"
    cpu_info.write_text("processor\t: 0\n")
    assert instruction_set(cpu_info) == ""


def test_zero_threads_means_all_cores_of_this_process():
    assert 1 <= thread_count(0) <= (os.cpu_count() or 1)
    assert thread_count(3) == 3
