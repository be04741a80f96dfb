"""What people call a loss and a metric, on axes and in tables."""

LOSS_NAMES = {
    "mse": "mean squared error",
    "bce": "binary cross entropy (nats)",
    "cross_entropy": "cross entropy (nats)",
}


def metric_name(metric: str) -> str:
    """A metric or a score as people read it: 'r2' → 'R²', 'top_10_accuracy' → 'top 10 accuracy'."""
    return metric.replace("_", " ").replace("r2", "R²").replace("mae", "MAE")


def hundredths(value: float) -> str:
    """A share with two decimals, without a sign that stands before nothing."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")
