"""How soon the page of a service that runs is there: `python -m tests.page_paint http://localhost:8080 [TOKEN]`."""

import os
import statistics
import sys
from datetime import date

from tests.browser import find_chromium, open_row, run_chromium

RUNS = 9
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
SENT = """[...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]
    .filter(({name}) => name.includes('/page/') || !name.split('/').pop())
    .reduce((sum, one) => sum + one.encodedBodySize, 0)"""


def main() -> None:
    chromium = find_chromium()
    if chromium is None or len(sys.argv) < 2:
        sys.exit("usage: python -m tests.page_paint URL [TOKEN], where Chromium is installed")
    paints, answers, sent = [], [], 0
    with run_chromium(chromium) as browser:
        for _ in range(RUNS):
            context = browser.new_context()  # with an empty cache
            page = context.new_page()
            open_row(page, sys.argv[1], token="".join(sys.argv[2:3]))
            paints.append(page.evaluate(PAINT))
            answers.append(page.evaluate("performance.now()"))
            sent = page.evaluate(SENT)
            context.close()
    print(f"{date.today()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {RUNS} visits with an empty cache:")
    for name, times in (("first paint", paints), ("answer, why and curve shown", answers)):
        print(f"{name}: {statistics.median(times):.0f} ms ({min(times):.0f} to {max(times):.0f})")
    print(f"sent: {sent:,} bytes")


if __name__ == "__main__":
    main()
