"""Which test covers a command of a page that no test types: by the beginning of the command, the node of the test."""

from __future__ import annotations

TRACKER = {
    "python -m tracker serve": "tests/tracker/web/test_serve.py::test_a_server_with_a_token_serves_and_ends_in_order",
    "python -m tracker scene demo/pedestrians.mp4 --output": (
        "tests/tracker/web/test_scenes.py::test_the_command_ends_when_the_scene_is_saved"
    ),
    "python -m tracker scene street.mp4 --output": (
        "tests/tracker/web/test_scenes.py::test_the_command_ends_when_the_scene_is_saved"
    ),
    "python -m tracker track demo/pedestrians.mp4 --preview": (
        "tests/tracker/web/test_serve.py::test_tracking_with_a_preview"
    ),
}
BENCHMARKS = "tests/tools/benchmarks"
TOOLS = {
    "answers/eval_crossings.py": (
        "tests/tools/answers/test_eval_crossings.py::test_the_tool_prints_precision_and_recall"
    ),
    "comparison/associations.py": (
        "tests/tools/comparison/test_associations.py::test_associations_tracks_stored_detections"
    ),
    "average_weights.py": "tests/tools/test_average_weights.py::test_the_command_writes_a_file_that_can_be_read",
    "benchmark.py analysis": "tests/tools/answers/test_speed.py::test_live_frames_and_a_text_are_timed",
    "benchmark.py batch": "tests/tools/library/test_batch_speed.py::test_contestants_are_timed_in_one_run",
    "benchmark.py cameras": f"{BENCHMARKS}/test_benchmark_cameras.py::test_rates_and_their_ratio",
    "benchmark.py forward": f"{BENCHMARKS}/test_benchmark_forward.py::test_one_model_in_several_backends",
    "benchmark.py newcomer": f"{BENCHMARKS}/test_benchmark_newcomer.py::test_what_the_readme_says_is_typed_and_timed",
    "benchmark.py page": "tests/tools/page/test_viewers.py::test_viewers_get_pictures_and_their_ages",
    "benchmark.py pipeline": f"{BENCHMARKS}/test_benchmark_pipeline.py::test_a_real_run_of_a_few_frames",
    "benchmark.py startup": f"{BENCHMARKS}/test_benchmark_startup.py::test_a_first_result",
    "benchmark.py tracker": f"{BENCHMARKS}/test_benchmark.py::test_associations_beside_the_reference",
    "cut_people.py": "tests/tools/test_cut_people.py::test_whole_and_large_people_are_cut_out",
    "eval_embedding.py": "tests/tools/test_eval_embedding.py::test_command_line_prints_and_keeps_the_figures",
    "eval_model.py": "tests/tracker/evaluation/test_validation.py::test_command_line_prints_and_keeps_the_figures",
    "eval_mot.py": "tests/tools/test_eval_mot_detections.py::test_detections_are_tracked_and_scored",
    "eval_mot17.py": "tests/tools/test_eval_mot17.py::test_one_command_makes_the_table",
    "evaluation/tune.py": "tests/tools/evaluation/test_tune.py::test_the_settings_that_are_written_score_as_stated",
    "export_model.py": "tests/tools/test_export_formats.py::test_onnx",
    "export_model.py -c": "tests/tools/torch_training/test_train_torch.py::test_a_run_ends_in_an_inference_folder",
    "identities/eval_across.py": (
        "tests/tools/identities/test_measures.py::test_cameras_in_which_people_look_the_same_are_joined_without_a_fault"
    ),
    "identities/eval_halves.py": "tests/tools/identities/test_measures.py::test_one_look_for_everybody_finds_nobody",
    "identities/eval_remember.py": ("tests/tools/identities/test_measures.py::test_who_is_known_again_counts_as_right"),
    "prepare_data.py": "tests/tools/test_prepare_data.py::test_command_line",
    "quantize.py": "tests/tools/quantization/test_quantize.py::test_a_run",
    "torch_training/compose_pictures.py": (
        "tests/tools/torch_training/test_compose_pictures.py::test_made_up_pictures_can_be_packed"
    ),
    "torch_training/pack_training.py": "tests/tools/torch_training/test_pack_training.py::test_a_list_of_the_project",
    "torch_training/train_torch.py": (
        "tests/tools/torch_training/test_train_torch.py::test_a_run_ends_in_an_inference_folder"
    ),
    "train.py -c config/train_compact.yml": (
        "tests/training/test_run.py::test_the_compact_network_from_drawn_pictures_to_a_model"
    ),
    "train.py -c config/train_darknet53.yml": (
        "tests/training/test_run.py::test_the_full_network_from_drawn_pictures_to_a_model"
    ),
}
OTHERS = {
    "python -m tests.attacks.cameras.soak": (
        "tests/attacks/cameras/test_soak.py::test_a_camera_that_is_interrupted_again_and_again"
    ),
    "python -m tracker.cameras.health": (
        "tests/tracker/cameras/test_health.py::test_as_a_command_of_its_own_that_loads_little"
    ),
    "bash demo/run.sh": "tests/docs/test_demo.py::test_the_demo_makes_its_files",
    "python demo/make_pictures.py": "tests/docs/test_demo.py::test_pictures_are_written_one_after_the_other",
    "hub install": "tests/tools/test_archive.py::test_it_takes_the_place_of_an_older_version",
    "hub serving start": "tests/test_serving.py::test_posted_images_are_tracked",
    "python3 -m venv .venv-light": "tests/test_light.py::test_it_tracks_as_the_whole_environment_does",
    ". .venv-light/bin/activate": "tests/test_light.py::test_it_tracks_as_the_whole_environment_does",
    ". .venv/bin/activate": "tests/docs/test_demo.py::test_the_demo_makes_its_files",
    "echo lines:": "tests/docs/test_readmes.py::test_the_way_of_a_newcomer",
    "curl -T street.mp4": "tests/tracker/web/test_videos.py::test_a_video_is_tracked_and_shown",
    "curl http://127.0.0.1:8080/api/cameras": ("tests/tracker/web/test_live.py::test_status_before_during_and_after"),
    "curl -N http://127.0.0.1:8080/api/events": (
        "tests/tracker/web/test_live.py::test_events_are_sent_as_they_happen_and_once_more_to_who_missed_them"
    ),
    "ruff check": "tests/test_project_files.py::test_pre_commit_runs_the_ruff_of_the_checks",
    "ruff format": "tests/test_project_files.py::test_pre_commit_runs_the_ruff_of_the_checks",
    "mypy": "tests/test_project_files.py::test_pre_commit_runs_the_ruff_of_the_checks",
}
COVERED = {**TRACKER, **{f"python tools/{tool}": node for tool, node in TOOLS.items()}, **OTHERS}


def covering_test(line: str) -> str | None:
    """The beginning of a command, of those above, that the words of a line begin with: the longest; None for none."""
    return max((begin for begin in COVERED if f"{line} ".startswith(begin)), key=len, default=None)
