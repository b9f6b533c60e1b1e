"""Usage by file: taken at once and imported later, all of it or nothing."""

import re

from integrations.zuora.client.transport import Transport, segment
from integrations.zuora.errors import Outcome, UnexpectedAnswer

#: Zuora takes 4 MB, with whatever it counts of the form around the file.
LARGEST_FILE = 4_000_000
_IMPORT = re.compile(r"/usage/([^/?]+)/status$")


class UsageFileEndpoints(Transport):
    # https://developer.zuora.com/v1-api-reference/api/operation/POST_Usage/
    def upload_usage_file(self, content: bytes, *, idempotency_key: str) -> str:
        """Send a CSV file; return the id of its import, which is still to come.

        The form around it is made of the key, so that a retry under the same key sends the same bytes.
        """
        form = (
            f'--{idempotency_key}\r\nContent-Disposition: form-data; name="file"; filename="{idempotency_key}.csv"\r\n'
            "Content-Type: text/csv\r\n\r\n"
        )
        answer = self._post(
            "/v1/usage",
            form.encode() + content + f"\r\n--{idempotency_key}--\r\n".encode(),
            content_type=f"multipart/form-data; boundary={idempotency_key}",
            idempotency_key=idempotency_key,
            expects=("checkImportStatus",),
        )
        found = _IMPORT.search(str(answer["checkImportStatus"]))
        if found is None:
            raise UnexpectedAnswer(
                f"Zuora names no import to ask for: {str(answer['checkImportStatus'])[:200]!r}.",
                outcome=Outcome.UNKNOWN,
            )
        return found[1]

    # https://developer.zuora.com/v1-api-reference/api/operation/GET_UsageImportStatus/
    def usage_import_status(self, import_id: str) -> str:
        """Return `Pending`, `Processing`, `Completed`, `Canceled` or `Failed`."""
        answer = self._get(f"/v1/usage/{segment(import_id)}/status", expects=("importStatus",))
        return str(answer["importStatus"])
