"""What would be run on the paper's models: as bash, with each flag that its tables give.

A full fine-tuning trains the base's own weights, so it needs fp32; runs that are studied beside it
must stand on the very same weights, so they have fp32 too, whatever --model.precision auto means.
"""

from __future__ import annotations

LLAMA_7B, LLAMA2_7B = "huggyllama/llama-7b", "meta-llama/Llama-2-7b-hf"
LLAMA3_8B, QWEN_7B = "meta-llama/Meta-Llama-3-8B", "Qwen/Qwen2.5-7B"
DEBERTA_BASE, DEBERTA_LARGE = "microsoft/deberta-v3-base", "microsoft/deberta-v3-large"
SDXL = "stabilityai/stable-diffusion-xl-base-1.0"

OUR_METHODS = "lora dora pissa lora-dash lora-init lora-tsd lora-restart"
_LLM = "python trainer/train_llm.py --data commonsense_170k.json --preset"
_GLUE = "python trainer/train_glue.py --data glue/ --preset"
_SCORED = "commonsense/ --by generation"
_STUDIED = "--model.precision fp32 --checkpoint.every 100 --checkpoint.keep 1000"
_ABLATED = "--model.precision fp32 --adapter.method lora-dash"

FULL_IN_FP32 = (
    "The rate of full fine-tuning, 2e-5, is ours; the paper gives none. It needs fp32 (its own "
    "weights are trained, without a master copy), and what is studied beside it the very same "
    "weights, so fp32 too. Weights, gradients and Adam's moments then take 16 bytes a parameter, "
    "for LLaMA-7B 108 GB before activations, more than one card of 80 GB has; with "
    "`--optim.optimizer adamw-8bit` 10 bytes, 67 GB. Several cards share the batch, not the "
    "weights."
)

COMMONSENSE = f"""
for preset in llama-7b-r4 llama-7b-r8 llama-7b-r16 llama-7b-r32 llama-7b-r64 llama2-7b-r16 llama2-7b-r32 llama3-8b-r16 llama3-8b-r32; do
for method in lora lora-init lora-dash lora-tsd; do
  {_LLM} $preset --adapter.method $method --run runs/$preset-$method
  python -m eval.score_commonsense runs/$preset-$method {_SCORED}
done
done
for preset in llama-7b-r8 llama2-7b-r16 llama3-8b-r16; do
  {_LLM} $preset --instead full --optim.learning-rate 2e-5 --model.precision fp32 --run runs/$preset-full
  python -m eval.score_commonsense runs/$preset-full {_SCORED}
done
"""  # noqa: E501

GLUE = f"""
for preset in deberta-v3-base-r2 deberta-v3-base-r8 deberta-v3-large-r2 deberta-v3-large-r8; do
for task in mnli sst2 cola qqp qnli rte mrpc stsb; do
for method in lora lora-init lora-dash lora-tsd; do
  {_GLUE} $preset --task $task --adapter.method $method --run runs/$preset-$task-$method
  python -m eval.score_glue runs/$preset-$task-$method
done
done
done
for preset in deberta-v3-base-r8 deberta-v3-large-r8; do
for task in mnli sst2 cola qqp qnli rte mrpc stsb; do
  {_GLUE} $preset --task $task --instead full --optim.learning-rate 2e-5 --model.precision fp32 --run runs/$preset-$task-full
  python -m eval.score_glue runs/$preset-$task-full
done
done
"""  # noqa: E501

STUDIES = f"""
{_LLM} llama-7b-r8 --instead full --optim.learning-rate 2e-5 --model.precision fp32 --run runs/full
for method in lora lora-tsd; do
  {_LLM} llama-7b-r8 --adapter.method $method {_STUDIED} --validation.every 80 --run runs/$method
done
python -m eval.analyse_directions runs/full runs/lora runs/lora-tsd
"""

STUDIES_OF_QWEN = """
python trainer/train_llm.py --preset llama-7b-r8 --base Qwen/Qwen2.5-7B --data math_10k.json --instead full --optim.learning-rate 2e-5 --model.precision fp32 --run runs/qwen-full
python -m eval.analyse_directions runs/qwen-full
"""  # noqa: E501

STUDIES_OF_DEBERTA = f"""
{_GLUE} deberta-v3-large-r8 --task cola --instead full --optim.learning-rate 2e-5 --model.precision fp32 --run runs/cola-full
{_GLUE} deberta-v3-large-r2 --task cola {_STUDIED} --run runs/cola-tsd-r2
{_GLUE} deberta-v3-large-r8 --task cola {_STUDIED} --run runs/cola-tsd-r8
{_GLUE} deberta-v3-large-r8 --task cola --adapter.rank 32 --adapter.alpha 64 {_STUDIED} --run runs/cola-tsd-r32
python -m eval.analyse_directions runs/cola-full runs/cola-tsd-r2 runs/cola-tsd-r8 runs/cola-tsd-r32
"""  # noqa: E501

INITIALISATION = f"""
{_LLM} llama3-8b-r32 --adapter.method lora --run runs/start-lora
{_LLM} llama3-8b-r32 --instead pissa --run runs/start-pissa
{_LLM} llama3-8b-r32 --adapter.method lora-init --adapter.direction bottom --adapter.prelaunch-steps 0 --run runs/start-bottom
{_LLM} llama3-8b-r32 --adapter.method lora-init --adapter.direction random --adapter.prelaunch-steps 0 --run runs/start-random
{_LLM} llama3-8b-r32 --adapter.method lora-init --run runs/start-tsd
for start in lora pissa bottom random tsd; do
  python -m eval.score_commonsense runs/start-$start {_SCORED}
done
"""  # noqa: E501

ABLATIONS_OF_LLAMA = f"""
for direction in tsd bottom random top; do
  {_LLM} llama3-8b-r32 {_ABLATED} --adapter.direction $direction --run runs/dash-$direction
  python -m eval.score_commonsense runs/dash-$direction {_SCORED}
done
for t in 50 100 200 400; do
  {_LLM} llama-7b-r32 {_ABLATED} --adapter.prelaunch-steps $t --run runs/dash-t-$t
  python -m eval.score_commonsense runs/dash-t-$t {_SCORED}
done
for s in 4 16 32; do
  {_LLM} llama-7b-r32 {_ABLATED} --adapter.num-directions $s --run runs/dash-s-$s
  python -m eval.score_commonsense runs/dash-s-$s {_SCORED}
done
"""

ABLATIONS_OF_DEBERTA = f"""
for direction in tsd bottom random top top+bottom all; do
  {_GLUE} deberta-v3-large-r8 --task cola {_ABLATED} --adapter.direction $direction --run runs/cola-dash-$direction
  python -m eval.score_glue runs/cola-dash-$direction
done
for t in 50 200 400; do
  {_GLUE} deberta-v3-large-r8 --task cola {_ABLATED} --adapter.prelaunch-steps $t --run runs/cola-dash-t-$t
  python -m eval.score_glue runs/cola-dash-t-$t
done
for s in 4 16 32; do
  {_GLUE} deberta-v3-large-r8 --task cola {_ABLATED} --adapter.num-directions $s --run runs/cola-dash-s-$s
  python -m eval.score_glue runs/cola-dash-s-$s
done
"""  # noqa: E501

OTHER_METHODS = f"""
for method in adalora adalora-dash flora flora-dash; do
  {_LLM} llama-7b-r32 --adapter.method $method --run runs/$method
  python -m eval.score_commonsense runs/$method {_SCORED}
done
"""

DREAMBOOTH = """
for method in lora lora-tsd; do
  python trainer/train_dreambooth.py --preset paper --photos dreambooth/dog --subject.class-token dog --adapter.method $method --run runs/dog-$method
  python -m eval.score_subject runs/dog-$method --seeds 0 1 2 3
done
"""  # noqa: E501

OVERLAP = """
for subject in dog dog2; do
  python trainer/train_dreambooth.py --preset paper --photos dreambooth/$subject --subject.class-token dog --run runs/$subject
done
python trainer/train_dreambooth.py --preset paper --photos dreambooth/cat --subject.class-token cat --run runs/cat
python -m eval.compare_subjects runs/dog runs/dog2 runs/cat
"""  # noqa: E501


def compared(task: str, methods: str, base: str = "minilm") -> str:
    """A comparison of ours on a task of GLUE."""
    return (
        f"python -m eval.compare_methods --task {task} --base {base} --data glue/ --methods "
        f"{methods} --seeds 0 1 2 --steps 300 --batch-size 32 --precision bf16"
    )


def compared_on_questions(folder: str, methods: str, base: str = "smollm2") -> str:
    """And on a set of commonsense."""
    return (
        f"python -m eval.compare_methods --task commonsense --base {base} --data "
        f"commonsense/{folder} --examples 1000 --test-items 500 --generated-items 100 "
        f"--steps 63 --batch-size 16 --precision bf16 --methods {methods} --seeds 0 1 2"
    )
