"EduPulse: who is drifting, why, and what to do, weeks before it is too late."

__version__ = "0.1.0"
