"""For `pytest --nbval`: a kernel that does not start is started again.

Jupyter chooses a kernel's ports and sets them free again before the kernel takes them, so that
something else can come first; the kernel then dies before its first cell.
"""

from nbval import plugin
from tenacity import retry, retry_if_exception_type, stop_after_attempt

plugin.RunningKernel = retry(
    retry=retry_if_exception_type(RuntimeError), stop=stop_after_attempt(3), reraise=True
)(plugin.RunningKernel)
