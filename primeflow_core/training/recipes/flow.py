"""The paper's ablations of the flow, as rows (Appendix E): a multilayer perceptron in place of the U-Net, principal
components in place of genes (FM PCA), and control cells paired by optimal transport in place of noise (FM PCA OT).

The captions that tie the rows to data sets are lost, so they are numbered in the paper's order. The number of
components is not among what is left of the tables; 100 are taken. FM PCA OT has the numbers of FM PCA, and 128 or 256
cells of a condition that are paired with as many controls.
"""

from dataclasses import replace

from primeflow_core.models.flow.coupling import OPTIMAL_TRANSPORT
from primeflow_core.models.flow.mlp import MLPConfig
from primeflow_core.models.flow.objective import CONTROL, FlowConfig
from primeflow_core.models.space import COMPONENTS
from primeflow_core.training.config import TrainingConfig
from primeflow_core.training.recipes.recipe import Recipe

PAPER_TRAINING = TrainingConfig(accumulation=4, steps=200_000, save_every=1000)
CPU_FLOW = FlowConfig(factors=64, interplay=True)
CPU_TRAINING = TrainingConfig(
    batch_size=64, precision="auto", learning_rate=2e-3, clip=0.2, decay="cosine", composed=0.25, steps=3000,
    patience=1000,
)  # fmt: skip
"""The training settings of PRiMeFlow-plus on a CPU."""
PLAIN_TRAINING = TrainingConfig(
    batch_size=64, precision="auto", learning_rate=1e-3, decay="cosine", steps=3000, patience=1000
)
"""Of the paper's method on a CPU. The paper states neither warm-up, nor EMA, nor decay."""
COMPONENTS_ON_A_CPU = TrainingConfig(
    batch_size=256, learning_rate=1e-3, decay="cosine", steps=2000, validate_every=100, patience=1000
)

# fmt: off
FIELD_1 = MLPConfig(3072, 0.2, expression_layers=2, condition_layers=3, time_layers=4, decode_layers=4)
FIELD_2 = MLPConfig(1792, 0.2, expression_layers=4, condition_layers=2, time_layers=2, decode_layers=4)
FLOW_1 = FlowConfig("trigonometric", sigma=0.1, prob_unconditional=0.4, space=COMPONENTS)
FLOW_2 = FlowConfig("trigonometric", sigma=0.01, prob_unconditional=0.4, space=COMPONENTS)
TRAINING_1 = replace(PAPER_TRAINING, batch_size=1024, learning_rate=8.18e-5, weight_decay=1.28e-10)
TRAINING_2 = replace(PAPER_TRAINING, batch_size=2048, learning_rate=1.73e-4, weight_decay=6.75e-6)
# fmt: on
SMALL = MLPConfig(512, 0.0, expression_layers=1, condition_layers=1, time_layers=1, decode_layers=2)


def transported(flow: FlowConfig) -> FlowConfig:
    """``flow`` from control cells, paired by optimal transport."""
    return replace(flow, source=CONTROL, coupling=OPTIMAL_TRANSPORT, tau=1.0)


FLOW_RECIPES = (
    Recipe(
        "mlp-1",
        "PRiMeFlow MLP, the paper's first row; needs a GPU",
        {
            "mlp": MLPConfig(3072, 0.0, expression_layers=1, condition_layers=1, time_layers=3, decode_layers=2),
            "flow": FlowConfig("linear", sigma=0.01, prob_unconditional=0.0),
        },
        replace(PAPER_TRAINING, batch_size=512, learning_rate=3.71e-5, weight_decay=4.05e-7),
    ),
    Recipe(
        "mlp-2",
        "PRiMeFlow MLP, the paper's second row; needs a GPU",
        {
            "mlp": MLPConfig(2048, 0.1, expression_layers=2, condition_layers=3, time_layers=5, decode_layers=1),
            "flow": FlowConfig("trigonometric", sigma=0.1, prob_unconditional=0.1),
        },
        replace(PAPER_TRAINING, batch_size=1024, learning_rate=8.56e-6, weight_decay=9.58e-7),
    ),
    Recipe("fm-1", "FM PCA, the paper's first row; needs a GPU", {"mlp": FIELD_1, "flow": FLOW_1}, TRAINING_1),
    Recipe("fm-2", "FM PCA, the paper's second row; needs a GPU", {"mlp": FIELD_2, "flow": FLOW_2}, TRAINING_2),
    Recipe(
        "fm-ot-1",
        "FM PCA OT, fm-1 from control cells, 128 a condition; needs a GPU",
        {"mlp": FIELD_1, "flow": transported(FLOW_1)},
        replace(TRAINING_1, cells_per_condition=128),
    ),
    Recipe(
        "fm-ot-2",
        "FM PCA OT, fm-2 from control cells, 256 a condition; needs a GPU",
        {"mlp": FIELD_2, "flow": transported(FLOW_2)},
        replace(TRAINING_2, cells_per_condition=256),
    ),
    Recipe(
        "primeflow-mlp-tiny",
        "PRiMeFlow MLP for a CPU: the paper's method with a multilayer perceptron and nothing else",
        {"mlp": SMALL, "flow": FlowConfig()},
        replace(PLAIN_TRAINING, batch_size=256),
    ),
    Recipe(
        "primeflow-mlp-plus-tiny",
        "primeflow-plus-tiny with a multilayer perceptron for the U-Net; 256 cells a step",
        {"mlp": SMALL, "flow": CPU_FLOW},
        # A step costs so little that 64 cells, all that a U-Net can afford, would make it a worse baseline than it is.
        replace(CPU_TRAINING, batch_size=256),
        formerly="mlp-tiny",
    ),
    Recipe(
        "fm-tiny",
        "FM PCA for a CPU, 100 components",
        {"mlp": SMALL, "flow": FlowConfig(space=COMPONENTS)},
        COMPONENTS_ON_A_CPU,
    ),
    Recipe(
        "fm-ot-tiny",
        "FM PCA OT for a CPU, 100 components, 64 cells a condition",
        {"mlp": SMALL, "flow": transported(FlowConfig(space=COMPONENTS))},
        replace(COMPONENTS_ON_A_CPU, cells_per_condition=64),
    ),
)
