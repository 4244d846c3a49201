# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from html.parser import HTMLParser
import json
import re
import xml.etree.ElementTree as ET

from anny_ros.cli.main import main
from anny_ros.cli.reporting import charts
from anny_ros.cli.reporting.recording import read_recording
from anny_ros.errors import InputError
import numpy as np
import pytest


def human(name, number, position, state='TRACKED', stature=1.7):
    return {'id': name, 'track_number': number, 'state': state, 'score': 0.9,
            'bbox': [0, 0, 1, 1], 'position': position, 'stature': stature}  # fmt: skip


def lines(num_frames=40, took=True):
    """One person walks 3 m to the right, another is there for a second, a third only briefly."""
    yield {'type': 'header', 'version': 1, 'image_width': 640, 'image_height': 480, 'fps': 10.0,
           'model': {'name': 'anny-lite', 'backend': 'onnxruntime', 'anny_ros': '9.9'},
           'keypoint_names': []}  # fmt: skip
    for i in range(num_frames):
        people = [human('aaaaa', 1, [3.0 * i / (num_frames - 1), 0.0, 4.0])]
        if 10 <= i < 20:
            people.append(human('b<b>b', 2, [-1.0, 0.0, 6.0], stature=None))
        if i == 5:
            people.append(human('ccccc', 3, [None, None, None], 'TENTATIVE'))
        camera = {'source': 'estimated', 'k': [500, 0, 320, 0, 500, 240, 0, 0, 1]}
        frame = {'type': 'frame', 'index': i, 'stamp': 100 + 0.1 * i, 'humans': people}
        frame['camera'] = camera
        if took:
            frame['took_ms'] = 50.0 + i
        yield frame


@pytest.fixture
def tracks(tmp_path):
    def write(rows):
        path = tmp_path / 'tracks.jsonl'
        path.write_text('\n'.join(json.dumps(row) for row in rows) + '\n')
        return path

    return write


class Page(HTMLParser):
    """Collect text, and everything that would be loaded from elsewhere."""

    def __init__(self, text):
        super().__init__()
        self.text, self.loads, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.loads += [(tag, v) for k, v in attrs if k in ('src', 'href', 'xlink:href')]
        if tag == 'script':
            self.loads.append((tag, ''))

    def handle_data(self, data):
        self.text.append(data)


def test_a_page_that_stands_alone(tracks, tmp_path):
    path = tracks(lines())
    assert main(['report', str(path), '--title', 'A <run> & more']) == 0
    text = (tmp_path / 'tracks.html').read_text()
    page = Page(text)
    assert not page.loads
    assert 'url(' not in text
    words = ' '.join(page.text)
    assert 'A <run> & more' in words
    assert '40' in words
    assert 'aaaaa' in words
    assert 'b<b>b' in words
    assert 'ccccc' not in words
    assert '1 more were seen too briefly' in words
    # Straight paths of 3 m lose a little to smoothing at their ends.
    row = re.search(r'aaaaa</td>(.*?)</tr>', text).group(1)
    cells = re.findall(r'<td>(.*?)</td>', row)
    assert cells[:5] == ['0.0 s', '3.9 s', '100 %', '4.0 m', '5.0 m']
    assert 1.8 < float(cells[5].split()[0]) <= 3.0
    for svg in re.findall(r'<svg.*?</svg>', text, re.DOTALL):
        ET.fromstring(svg)


def test_charts_are_drawn_to_scale(tracks):
    recording = read_recording(tracks(lines()))
    assert [p.id for p in recording.people] == ['aaaaa', 'ccccc', 'b<b>b']
    people = [p for p in recording.people if p.was_tracked]

    root = ET.fromstring(charts.timeline(recording, people))
    one, two = root.findall('rect')
    per_second = float(one.get('width')) / 3.9
    assert float(two.get('width')) == pytest.approx(per_second * 1.0, rel=0.02)
    assert float(two.get('x')) - float(one.get('x')) == pytest.approx(per_second * 1.0, rel=0.02)
    root = ET.fromstring(charts.paths(recording, people))
    (line, other) = root.findall('polyline')
    points = np.array([p.split(',') for p in line.get('points').split()], float)
    rings = sorted(float(c.get('r')) for c in root.findall('circle') if c.get('class') == 'grid')
    metres = next(t.text for t in root.findall('text') if t.get('class') == 'tick')
    scale = rings[0] / float(metres.split()[0])
    assert np.ptp(points[:, 0]) == pytest.approx(3.0 * scale, rel=0.01)
    still = np.array([p.split(',') for p in other.get('points').split()], float)
    assert points[0, 1] - still[0, 1] == pytest.approx(2.0 * scale, rel=0.01)
    assert points[0, 0] - still[0, 0] == pytest.approx(1.0 * scale, rel=0.01)
    root = ET.fromstring(charts.latencies(recording))
    bars = [float(r.get('height')) for r in root.findall('rect')]
    assert sum(b > 0 for b in bars) > 5


def test_a_file_without_times_or_people(tracks, tmp_path):
    path = tracks(lines(took=False))
    assert main(['report', str(path), '-o', str(tmp_path / 'x.html')]) == 0
    assert 'How long' not in (tmp_path / 'x.html').read_text()
    empty = [row | {'humans': []} if row['type'] == 'frame' else row for row in lines(3)]
    assert main(['report', str(tracks(empty)), '-o', str(tmp_path / 'y.html')]) == 0
    assert main(['report', str(tracks(empty[:2])), '-o', str(tmp_path / 'z.html')]) == 0


def test_mistakes_end_in_one_sentence(tracks, tmp_path, capsys):
    good = tracks(lines(3))
    cases = [
        [str(tmp_path / 'none.jsonl')],
        [str(tmp_path)],
        [str(good), '-o', str(good)],
        [str(good), '-o', str(tmp_path / 'no' / 'folder.html')],
    ]
    for arguments in cases:
        assert main(['report', *arguments]) == 2
        assert capsys.readouterr().err.count('\n') == 1
    for rows in ([], [{'type': 'frame'}], list(lines(3))[:1], [*lines(2), {'type': 'frame'}], [7]):
        with pytest.raises(InputError, match='track'):
            read_recording(tracks(rows))
    cut = tracks(lines(3))
    cut.write_text(cut.read_text()[:-40])
    with pytest.raises(InputError, match='line 4'):
        read_recording(cut)
    binary = tmp_path / 'b.jsonl'
    binary.write_bytes(b'\xff\xfe\x00\x80')
    with pytest.raises(InputError, match='no text'):
        read_recording(binary)


def test_what_track_writes_is_what_is_read(estimator, video, tmp_path):
    output = tmp_path / 'tracks.jsonl'
    assert main(['track', str(video), '-o', str(output), '--quiet']) == 0
    recording = read_recording(output)
    assert len(recording.times) == 7
    assert np.isfinite(recording.took_ms).all()
    assert [p.id for p in recording.people] == ['abcde', 'fghij']
    assert main(['report', str(output)]) == 0
