"""One film from file to file: looked through, coloured shot by shot, put together; what is finished outlives a kill."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import av

from colorcli.errors import ColorizeError, PhotoError
from colorcli.items import Failure, Finished, Job, Photo
from colorcli.loader import LoadedMethod
from colorcli.media.films.assembly import assemble
from colorcli.media.films.encoding import Encoding, choose_encoding, film_extension
from colorcli.media.films.header import FilmHeader
from colorcli.media.films.pixels import network_shape
from colorcli.media.films.reading import frames_of, header_of
from colorcli.media.films.scan import Scan, Shot, scan, scan_from
from colorcli.media.films.segments import SegmentWriter
from colorcli.media.films.sheet import write_sheet
from colorcli.media.originals import CHANGED
from colorcli.media.places import comparison_path, whole_files
from colorcli.media.results import ResultOptions
from colorcli.media.unwritable import unwritable
from colorcli.methods.spec import Predict
from colorcli.run.engine import Engine
from colorcli.run.figures import figures_path, film_notes, film_report, read_figures, write_figures
from colorcli.run.frames import Colouring, Frames, Made, Numbered
from colorcli.run.ledger import Ledger
from colorcli.run.marks import Mark
from colorcli.stages.film import Steadying, see, side_by_side
from colorcli.stages.flicker import ShotFigures, Tally
from colorcli.stages.refer import References
from colorcli.stages.settled import Settled, fine_format

Say = Callable[[str], None]

_TOLD = 30.0  # s between two lines of how far a film is
_SHEET_WIDTH = 480  # pixels of a picture in the sheet of shots


@dataclass(frozen=True, slots=True)
class Means:
    """What all films of a run share."""

    method: LoadedMethod
    exact: Predict
    options: ResultOptions
    engine: Engine
    size: int
    references: References | None
    say: Say


@dataclass(slots=True)
class FilmRun:
    """The colouring of one film."""

    job: Job
    mark: Mark
    ledger: Ledger
    means: Means
    steadying: Steadying
    notes: list[str] = field(default_factory=list)
    _header: FilmHeader = field(init=False)
    _scan: Scan = field(init=False)
    _encoding: Encoding = field(init=False)
    _figures: dict[int, ShotFigures] = field(default_factory=dict)  # of each shot

    def coloured(self) -> Finished:
        """Colour it. Errors: PhotoError, ColorizeError; the finished shots stay for the next run."""
        job, film = self.job, self.job.film
        if film is None:
            raise ValueError(f"{job.name} is no film")
        self._header = header_of(job.source)
        if self.means.method.spec.sees_color:
            raise PhotoError("this method changes photos in colour; it takes no films")
        if job.segments is not None:
            raise PhotoError("segment maps are for one photo; leave out --segments")
        self._note_container()
        folder = self.ledger.stages_folder(job)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable("the film's shots", folder, error.strerror or str(error)) from error
        self._scan = self._scanned(folder / "scan.json")
        stays = bool(self._scan.interlaced) and not film.deinterlace
        self._encoding = choose_encoding(self._header, job.target, film, interlaced=stays)
        files = [folder / f"shot-{number:05d}" for number in range(len(self._scan.shots))]
        todo = [n for n, file in enumerate(files) if not self._is_done(n, file)]
        self._check_space(folder, todo)
        likes = self._likes()
        started = time.monotonic()
        frames = sum(len(self._scan.shots[n]) for n in todo)
        self._colour(files, todo, likes)
        rate = frames / max(time.monotonic() - started, 1e-6)
        figures = [self._figures[n] for n in range(len(files))]
        saturation = self.means.options.saturation
        self.notes += film_notes(job, self._header, self._scan, figures, likes, saturation)
        sheet = self._finish(files)
        report = film_report(
            self._header,
            self._scan,
            figures,
            likes,
            codec=self._encoding.family.name,
            rate=rate,
            found=len(files) - len(todo),
            sheet=sheet,
        )
        return Finished(job, tuple(self.notes), report)

    # before colouring

    def _note_container(self) -> None:
        source, target = self.job.source.suffix, self.job.target.suffix
        if source.lower() != target.lower() and self.job.film is not None:
            reason = film_extension(self.job.source, self._header, self.job.film)[1]
            self.notes.append(f"it became {target}: {reason}")

    def _scanned(self, file: Path) -> Scan:
        """The scan of an earlier run, or a new one, which is kept."""
        if self.ledger.has_stage(file, self.mark):
            with suppress(OSError, ValueError, KeyError, TypeError):
                return scan_from(file.read_text())
        found = scan(self._header)
        with whole_files(file) as (part,):
            part.write_text(found.as_json())
        self.ledger.note_stage(file, self.mark)
        return found

    def _is_done(self, n: int, file: Path) -> bool:
        """Whether an earlier run finished the shot; its figures are read."""
        if not self.ledger.has_stage(file, self.mark):
            return False
        with suppress(OSError, ValueError, KeyError, TypeError):
            self._figures[n] = read_figures(figures_path(file))
        return n in self._figures

    def _check_space(self, folder: Path, todo: Sequence[int]) -> None:
        """PhotoError where the disk is too small for the shots and the film: about, by codec and size."""
        header, scan = self._header, self._scan
        pixels = header.width * header.height * self._encoding.family.bits_per_pixel / 8
        film = len(scan) * pixels + header.path.stat().st_size
        needed = sum(len(scan.shots[n]) for n in todo) * pixels + film
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise PhotoError(
                f"{folder} has {free / 1e6:,.0f} MB free and the film needs about {needed / 1e6:,.0f} MB; make room, "
                "or choose another output folder"
            )

    def _likes(self) -> list[Photo]:
        """Of each shot what the network is given besides lightness: the embedding of its reference, if it needs one.

        Where the nearest is to be chosen, the frame in the middle of the shot chooses.
        """
        references, shots = self.means.references, self._scan.shots
        chosen = references is not None and self.job.reference is None
        middles = {shot.middle if chosen else shot.first: n for n, shot in enumerate(shots)}
        likes: list[Photo] = []
        for number, frame in enumerate(frames_of(self._header)):
            if number not in middles:
                continue
            photo = see(frame.picture, self.job, self._header, *self._shape)
            likes.append(photo if references is None else self._referred(references, photo))
            if not chosen:  # all are alike
                return likes * len(shots)
            if len(likes) == len(shots):
                break
        return likes

    def _referred(self, references: References, photo: Photo) -> Photo:
        found = references.refer(photo)
        if isinstance(found, Failure):
            raise PhotoError(found.reason)
        return found

    @property
    def _shape(self) -> tuple[int, int]:
        return network_shape(self._header, self.means.size, self.means.method.spec.multiple)

    # colouring

    def _colour(self, files: Sequence[Path], todo: Sequence[int], likes: Sequence[Photo]) -> None:
        if not todo:
            return
        means, pixels = self.means, self._encoding.pixels
        colouring = Colouring(
            self._header,
            means.method.predict,
            means.exact,
            self._shape,
            means.options.saturation,
            fine_format(pixels) if self.job.film is not None and self.job.film.temporal else pixels,
            self.steadying,
            means.engine,
            means.say,
        )
        frames = Frames(colouring)
        coloured = frames.coloured(self._numbered(todo, likes))
        told = time.monotonic()
        with closing(coloured):
            for done, n in enumerate(todo):
                shot = self._scan.shots[n]
                self._figures[n] = self._encode(coloured, shot, files[n])
                if time.monotonic() - told > _TOLD:
                    told = time.monotonic()
                    means.say(
                        f"{self.job.name}: {done + 1} of {len(todo)} shots, {shot.end} of {len(self._scan)} frames"
                    )

    def _numbered(self, todo: Sequence[int], likes: Sequence[Photo]) -> Iterator[Numbered]:
        """The frames of the shots to be done; those of others are decoded and passed over: exact in every format."""
        film = self.job.film
        waiting = list(reversed(todo))
        shot, like = self._scan.shots[waiting[-1]], likes[waiting[-1]]
        for number, frame in enumerate(frames_of(self._header, deinterlace=film is None or film.deinterlace)):
            if number >= shot.end:
                waiting.pop()
                if not waiting:
                    return
                shot, like = self._scan.shots[waiting[-1]], likes[waiting[-1]]
            if shot.first <= number:
                yield Numbered(number, frame, number == shot.first, number == shot.end - 1, like)

    def _encode(self, coloured: Iterator[Made], shot: Shot, file: Path) -> ShotFigures:
        sheet = [file.with_suffix(".jpg")] if self.means.options.compare else []
        tally = Tally()
        try:
            with whole_files(file, figures_path(file), *sheet) as (part, told, *picture):
                context = self._encoding.open(self._header)
                with part.open("wb") as stream:
                    writer = SegmentWriter(stream, context)
                    settled = Settled(self._header, self._encoding.pixels)
                    for made in self._of(shot, coloured):
                        if picture and made.number == shot.middle:
                            pair = side_by_side(made.frame.picture, made.picture, self._header, _SHEET_WIDTH)
                            picture[0].write_bytes(pair)
                        writer.add(settled.rounded(made.picture, made.frame.picture, made.moved), made.number)
                        if made.measured is not None:
                            tally.add(made.measured)
                    writer.finish()
                write_figures(told, tally.figures())
        except (av.FFmpegError, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise unwritable("a shot", file, reason) from error
        self.ledger.note_stage(file, self.mark)
        return tally.figures()

    def _of(self, shot: Shot, coloured: Iterator[Made]) -> Iterator[Made]:
        """A shot's frames. Errors: PhotoError where they are not those of the scan."""
        for number in range(shot.first, shot.end):
            made = next(coloured, None)
            if made is None or made.number != number:
                raise PhotoError(f"frame {number} could not be read a second time; is the file still whole?")
            yield made

    # after colouring

    def _finish(self, files: Sequence[Path]) -> Path | None:
        """Put all together. Returns the place of the sheet of shots, if there is one."""
        job, options = self.job, self.means.options
        self._refuse_changed()
        provenance = None if options.provenance is None else options.provenance.after(job.reference)
        told = None if provenance is None else provenance.sentence
        sheet = comparison_path(job.target) if options.compare and job.together is None else None
        before = self.ledger.begin(job, self.mark)
        try:
            quality = options.quality
            self.notes += assemble(
                self._header, self._scan, self._encoding, files, job.target, synthetic=told, quality=quality
            )
            if sheet is not None:
                write_sheet(sheet, [file.with_suffix(".jpg") for file in files], provenance)
        except BaseException:
            with suppress(ColorizeError):
                self.ledger.abandon(before)
            raise
        self.ledger.finish(job)
        self.ledger.drop_stages(job)
        return sheet

    def _refuse_changed(self) -> None:
        """PhotoError where the film is not what it was when it was begun: its shots may be of both."""
        try:
            facts = self.job.source.stat()
        except OSError as error:
            raise PhotoError(f"the film cannot be opened ({error.strerror}); run again when it is there") from error
        if (facts.st_size, facts.st_ctime_ns) != (self.mark.size, self.mark.time):
            raise PhotoError(CHANGED)
