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


class SettingError(PrimeflowError):
    """A recipe, option or number is outside what is possible."""


class UnfitSettingsError(SettingError):
    """Numbers of a recipe that are possible each, and cannot be learnt with together."""
