"""The errors a user can mend: every message names what was wrong, what was expected and what to do."""


class PrimeflowError(Exception):
    """Bad input from outside (a file, an argument, a widget); pages and the command line show its text as is."""


class DataError(PrimeflowError):
    """A data file, or a column or value in it, is not what is needed."""


class OverrunError(DataError):
    """Reading a file took more memory or time than it may, or ended the process that read it."""


class ConditionError(PrimeflowError):
    """A perturbation, combination, dose or covariate cannot be used as asked."""


class CheckpointError(PrimeflowError):
    """A model folder is missing, incomplete, damaged or of another version."""


class DownloadError(PrimeflowError):
    """A named data set could not be brought, or what came is not what was expected."""


class StorageError(PrimeflowError, OSError):
    """A file could not be written; ``filename`` names it, and the text says why and what to do.

    Also an OSError with its ``errno``, for callers that ask for the cause.
    """

    advice: str

    def __new__(cls, number: int, reason: str, path: str, advice: str) -> "StorageError":
        made = super().__new__(cls, number, reason, path)
        made.advice = advice
        return made

    def __init__(self, number: int, reason: str, path: str, advice: str) -> None:
        super().__init__(number, reason, path)

    def __str__(self) -> str:
        return f"{self.filename} could not be written: {self.strerror}. {self.advice}"

    def __reduce__(self) -> tuple[type, tuple[int | None, str | None, str, str]]:
        return type(self), (self.errno, self.strerror, self.filename, self.advice)


class SettingError(PrimeflowError):
    """A recipe, option or number is outside what is possible."""


class UnfitSettingsError(SettingError):
    """Numbers of a recipe that are possible each, and cannot be learnt with together."""


class PrimeflowWarning(UserWarning):
    """Something that a user of the Python interface should know, and that stops nothing."""
