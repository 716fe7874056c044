"""What a challenger says to rows that somebody tries: beside the champion's answers, and compared by nobody."""

from dataclasses import dataclass

import numpy as np

from ekiben.contract.answers import Answers
from ekiben.contract.comparison.transcoding import Transcoder
from ekiben.contract.encoding import Encoded
from ekiben.model.package import PackedModel
from ekiben.service.batching.background import BackgroundQueue


@dataclass(frozen=True)
class Opinion:
    """A challenger that answers rows as the champion has encoded them."""

    model: PackedModel
    transcoder: Transcoder
    queue: BackgroundQueue

    async def answer(self, encoded: Encoded, deadline: float) -> Answers:
        """Return its answers, (rows, outputs): NaN for rows that its schema rejects or whose values it can't be given.

        Raises a RequestRejected if there is no time for it.
        """
        done = self.transcoder.transcode(encoded)
        answers = np.full((len(encoded), len(self.model.schema.target.outputs)), np.nan, np.float32)
        if len(done.encoded):
            kept = slice(None) if done.kept is None else done.kept
            answers[kept] = await self.queue.answer(done.encoded, deadline)
        return answers
