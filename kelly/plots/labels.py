"""Names of losses and metrics for axes and tables."""

LOSS_NAMES = {
    "mse": "mean squared error",
    "bce": "binary cross entropy (nats)",
    "cross_entropy": "cross entropy (nats)",
}


def metric_name(metric: str) -> str:
    """A readable name of a metric or score: 'r2' → 'R²', 'top_10_accuracy' → 'top 10 accuracy'."""
    return metric.replace("_", " ").replace("r2", "R²").replace("mae", "MAE")


def hundredths(value: float) -> str:
    """A value with two decimals; no minus sign before 0.00."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")
