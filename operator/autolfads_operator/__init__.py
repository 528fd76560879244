"""The AutoLFADS controller and operator: decides, schedules and watches. Never imports torch."""

__version__ = "0.1.0.dev0"
