package store

import (
	"context"
	"time"

	"github.com/tftpsql/tftpsql/queries"
	"github.com/tftpsql/tftpsql/queries/sqlite"
)

// sqliteQuerier makes SQLite's queries those of package queries: the same text gives the same fields, so every method is a
// conversion. What SQLite needs no query for has a method that does nothing.
type sqliteQuerier struct{ q *sqlite.Queries }

var _ queries.Querier = sqliteQuerier{}

func rows[From, To any](list []From, err error, convert func(From) To) ([]To, error) {
	out := make([]To, len(list))
	for i, r := range list {
		out[i] = convert(r)
	}
	return out, err
}

// BeginCaptures does nothing: there is one writer, and its file's busy_timeout.
func (s sqliteQuerier) BeginCaptures(context.Context, queries.BeginCapturesParams) error { return nil }

func (s sqliteQuerier) Body(ctx context.Context, sha256 []byte) ([]byte, error) {
	return s.q.Body(ctx, sha256)
}

func (s sqliteQuerier) CaptureByUID(ctx context.Context, uid string) (queries.CaptureByUIDRow, error) {
	r, err := s.q.CaptureByUID(ctx, uid)
	return queries.CaptureByUIDRow(r), err
}

func (s sqliteQuerier) CaptureRecord(ctx context.Context, id int64) (queries.CaptureLog, error) {
	r, err := s.q.CaptureRecord(ctx, id)
	return queries.CaptureLog(r), err
}

func (s sqliteQuerier) CaptureRecordByUID(ctx context.Context, uid string) (queries.CaptureLog, error) {
	r, err := s.q.CaptureRecordByUID(ctx, uid)
	return queries.CaptureLog(r), err
}

func (s sqliteQuerier) Captures(ctx context.Context, n int64) ([]queries.CaptureLog, error) {
	r, err := s.q.Captures(ctx, n)
	return rows(r, err, func(r sqlite.CaptureLog) queries.CaptureLog { return queries.CaptureLog(r) })
}

func (s sqliteQuerier) CountCapture(ctx context.Context, arg queries.CountCaptureParams) error {
	return s.q.CountCapture(ctx, sqlite.CountCaptureParams(arg))
}

func (s sqliteQuerier) CountNewest(ctx context.Context, arg queries.CountNewestParams) (int64, error) {
	return s.q.CountNewest(ctx, sqlite.CountNewestParams(arg))
}

func (s sqliteQuerier) DeviceBySiteName(ctx context.Context, arg queries.DeviceBySiteNameParams) (queries.Device, error) {
	r, err := s.q.DeviceBySiteName(ctx, sqlite.DeviceBySiteNameParams(arg))
	return queries.Device(r), err
}

func (s sqliteQuerier) DeviceByAlias(ctx context.Context, arg queries.DeviceByAliasParams) (queries.Device, error) {
	r, err := s.q.DeviceByAlias(ctx, sqlite.DeviceByAliasParams(arg))
	return queries.Device(r), err
}

func (s sqliteQuerier) DeviceCaptures(ctx context.Context, arg queries.DeviceCapturesParams) ([]queries.CaptureLog, error) {
	r, err := s.q.DeviceCaptures(ctx, sqlite.DeviceCapturesParams(arg))
	return rows(r, err, func(r sqlite.CaptureLog) queries.CaptureLog { return queries.CaptureLog(r) })
}

func (s sqliteQuerier) Devices(ctx context.Context) ([]queries.Device, error) {
	r, err := s.q.Devices(ctx)
	return rows(r, err, func(r sqlite.Device) queries.Device { return queries.Device(r) })
}

func (s sqliteQuerier) DevicesByName(ctx context.Context, name string) ([]queries.Device, error) {
	r, err := s.q.DevicesByName(ctx, name)
	return rows(r, err, func(r sqlite.Device) queries.Device { return queries.Device(r) })
}

func (s sqliteQuerier) Followers(ctx context.Context, arg queries.FollowersParams) ([]queries.FollowersRow, error) {
	r, err := s.q.Followers(ctx, sqlite.FollowersParams(arg))
	return rows(r, err, func(r sqlite.FollowersRow) queries.FollowersRow { return queries.FollowersRow(r) })
}

func (s sqliteQuerier) InsertCapture(ctx context.Context, arg queries.InsertCaptureParams) (int64, error) {
	return s.q.InsertCapture(ctx, sqlite.InsertCaptureParams(arg))
}

func (s sqliteQuerier) InsertContent(ctx context.Context, arg queries.InsertContentParams) error {
	return s.q.InsertContent(ctx, sqlite.InsertContentParams(arg))
}

func (s sqliteQuerier) LockDevice(ctx context.Context, arg queries.LockDeviceParams) (queries.LockDeviceRow, error) {
	r, err := s.q.LockDevice(ctx, sqlite.LockDeviceParams(arg))
	return queries.LockDeviceRow(r), err
}

func (s sqliteQuerier) NewestBefore(ctx context.Context, arg queries.NewestBeforeParams) (queries.CaptureLog, error) {
	r, err := s.q.NewestBefore(ctx, sqlite.NewestBeforeParams(arg))
	return queries.CaptureLog(r), err
}

func (s sqliteQuerier) NewestFromSource(ctx context.Context, arg queries.NewestFromSourceParams) (queries.NewestFromSourceRow, error) {
	r, err := s.q.NewestFromSource(ctx, sqlite.NewestFromSourceParams(arg))
	return queries.NewestFromSourceRow(r), err
}

// LockName does nothing: there is one writer.
func (s sqliteQuerier) LockName(context.Context, string) error { return nil }

// Listen does nothing: see sqliteFile.listen.
func (s sqliteQuerier) Listen(context.Context) error { return nil }

// LockMigrations does nothing: the file's own lock is held.
func (s sqliteQuerier) LockMigrations(context.Context) error { return nil }

// TurnOffJIT does nothing: SQLite compiles no queries.
func (s sqliteQuerier) TurnOffJIT(context.Context) error { return nil }

// RequireDurableCommit does nothing: synchronous(FULL) is set when the file is opened.
func (s sqliteQuerier) RequireDurableCommit(context.Context) error { return nil }

func (s sqliteQuerier) SchemaVersion(ctx context.Context) (queries.SchemaMigration, error) {
	r, err := s.q.SchemaVersion(ctx)
	return queries.SchemaMigration(r), err
}

func (s sqliteQuerier) SetChanged(ctx context.Context, arg queries.SetChangedParams) error {
	return s.q.SetChanged(ctx, sqlite.SetChangedParams(arg))
}

func (s sqliteQuerier) SourceDevices(ctx context.Context, source string) (queries.SourceDevicesRow, error) {
	r, err := s.q.SourceDevices(ctx, source)
	return queries.SourceDevicesRow(r), err
}

func (s sqliteQuerier) SourceSeen(ctx context.Context, arg queries.SourceSeenParams) (int64, error) {
	return s.q.SourceSeen(ctx, sqlite.SourceSeenParams(arg))
}

func (s sqliteQuerier) VersionStart(ctx context.Context, arg queries.VersionStartParams) (queries.CaptureLog, error) {
	r, err := s.q.VersionStart(ctx, sqlite.VersionStartParams(arg))
	return queries.CaptureLog(r), err
}

func (s sqliteQuerier) YieldName(ctx context.Context, arg queries.YieldNameParams) (int64, error) {
	return s.q.YieldName(ctx, sqlite.YieldNameParams(arg))
}

func (s sqliteQuerier) FirstOfName(ctx context.Context, filename string) ([]byte, error) {
	return s.q.FirstOfName(ctx, filename)
}

func (s sqliteQuerier) Publish(ctx context.Context, arg queries.PublishParams) error {
	return s.q.Publish(ctx, sqlite.PublishParams(arg))
}

func (s sqliteQuerier) Published(ctx context.Context, now time.Time) ([]queries.PublishedRow, error) {
	r, err := s.q.Published(ctx, now)
	return rows(r, err, func(r sqlite.PublishedRow) queries.PublishedRow { return queries.PublishedRow(r) })
}

func (s sqliteQuerier) PublishedFile(ctx context.Context, arg queries.PublishedFileParams) (queries.PublishedFileRow, error) {
	r, err := s.q.PublishedFile(ctx, sqlite.PublishedFileParams(arg))
	return queries.PublishedFileRow(r), err
}

func (s sqliteQuerier) Fetched(ctx context.Context, arg queries.FetchedParams) error {
	return s.q.Fetched(ctx, sqlite.FetchedParams(arg))
}

func (s sqliteQuerier) Unpublish(ctx context.Context, name string) (int64, error) {
	return s.q.Unpublish(ctx, name)
}

func (s sqliteQuerier) DropExpired(ctx context.Context, now time.Time) error {
	return s.q.DropExpired(ctx, now)
}

func (s sqliteQuerier) AbsorbDevice(ctx context.Context, arg queries.AbsorbDeviceParams) error {
	return s.q.AbsorbDevice(ctx, sqlite.AbsorbDeviceParams(arg))
}

func (s sqliteQuerier) AddAlias(ctx context.Context, arg queries.AddAliasParams) error {
	return s.q.AddAlias(ctx, sqlite.AddAliasParams(arg))
}

func (s sqliteQuerier) Aliases(ctx context.Context, deviceID int64) ([]queries.AliasesRow, error) {
	r, err := s.q.Aliases(ctx, deviceID)
	return rows(r, err, func(r sqlite.AliasesRow) queries.AliasesRow { return queries.AliasesRow(r) })
}

func (s sqliteQuerier) Base(ctx context.Context, arg queries.BaseParams) (queries.BaseRow, error) {
	r, err := s.q.Base(ctx, sqlite.BaseParams(arg))
	return queries.BaseRow(r), err
}

func (s sqliteQuerier) Boxes(ctx context.Context, arg queries.BoxesParams) ([]queries.BoxesRow, error) {
	r, err := s.q.Boxes(ctx, sqlite.BoxesParams(arg))
	return rows(r, err, func(r sqlite.BoxesRow) queries.BoxesRow { return queries.BoxesRow(r) })
}

func (s sqliteQuerier) CapturesAfter(ctx context.Context, arg queries.CapturesAfterParams) ([]queries.CaptureLog, error) {
	r, err := s.q.CapturesAfter(ctx, sqlite.CapturesAfterParams(arg))
	return rows(r, err, func(r sqlite.CaptureLog) queries.CaptureLog { return queries.CaptureLog(r) })
}

func (s sqliteQuerier) CurrentCaptures(ctx context.Context) ([]queries.CurrentLog, error) {
	r, err := s.q.CurrentCaptures(ctx)
	return rows(r, err, func(r sqlite.CurrentLog) queries.CurrentLog { return queries.CurrentLog(r) })
}

func (s sqliteQuerier) DeleteCapture(ctx context.Context, id int64) error {
	return s.q.DeleteCapture(ctx, id)
}

func (s sqliteQuerier) DeleteContent(ctx context.Context, sha256 []byte) (int64, error) {
	return s.q.DeleteContent(ctx, sha256)
}

func (s sqliteQuerier) DeviceContents(ctx context.Context, arg queries.DeviceContentsParams) ([]queries.DeviceContentsRow, error) {
	r, err := s.q.DeviceContents(ctx, sqlite.DeviceContentsParams(arg))
	return rows(r, err, func(r sqlite.DeviceContentsRow) queries.DeviceContentsRow { return queries.DeviceContentsRow(r) })
}

func (s sqliteQuerier) DropAlias(ctx context.Context, arg queries.DropAliasParams) error {
	return s.q.DropAlias(ctx, sqlite.DropAliasParams(arg))
}

func (s sqliteQuerier) DropAliases(ctx context.Context, deviceID int64) error {
	return s.q.DropAliases(ctx, deviceID)
}

func (s sqliteQuerier) DropDevice(ctx context.Context, id int64) error {
	return s.q.DropDevice(ctx, id)
}

func (s sqliteQuerier) ExpectDevice(ctx context.Context, arg queries.ExpectDeviceParams) error {
	return s.q.ExpectDevice(ctx, sqlite.ExpectDeviceParams(arg))
}

func (s sqliteQuerier) Failures(ctx context.Context, since time.Time) ([]queries.Failure, error) {
	r, err := s.q.Failures(ctx, since)
	return rows(r, err, func(r sqlite.Failure) queries.Failure { return queries.Failure(r) })
}

func (s sqliteQuerier) FailuresOf(ctx context.Context, arg queries.FailuresOfParams) ([]queries.Failure, error) {
	r, err := s.q.FailuresOf(ctx, sqlite.FailuresOfParams(arg))
	return rows(r, err, func(r sqlite.Failure) queries.Failure { return queries.Failure(r) })
}

func (s sqliteQuerier) HoldDevice(ctx context.Context, id int64) (queries.Device, error) {
	r, err := s.q.HoldDevice(ctx, id)
	return queries.Device(r), err
}

func (s sqliteQuerier) Kinds(ctx context.Context, deviceID int64) ([]string, error) {
	return s.q.Kinds(ctx, deviceID)
}

func (s sqliteQuerier) MoveAliases(ctx context.Context, arg queries.MoveAliasesParams) error {
	return s.q.MoveAliases(ctx, sqlite.MoveAliasesParams(arg))
}

func (s sqliteQuerier) MoveCaptures(ctx context.Context, arg queries.MoveCapturesParams) (int64, error) {
	return s.q.MoveCaptures(ctx, sqlite.MoveCapturesParams(arg))
}

func (s sqliteQuerier) NewestAt(ctx context.Context, arg queries.NewestAtParams) (queries.CaptureLog, error) {
	r, err := s.q.NewestAt(ctx, sqlite.NewestAtParams(arg))
	return queries.CaptureLog(r), err
}

func (s sqliteQuerier) NewestID(ctx context.Context) (int64, error) {
	return s.q.NewestID(ctx)
}

func (s sqliteQuerier) NoteFailure(ctx context.Context, arg queries.NoteFailureParams) error {
	return s.q.NoteFailure(ctx, sqlite.NoteFailureParams(arg))
}

func (s sqliteQuerier) Oldest(ctx context.Context, deviceID int64) (queries.CaptureLog, error) {
	r, err := s.q.Oldest(ctx, deviceID)
	return queries.CaptureLog(r), err
}

func (s sqliteQuerier) PrunableSightings(ctx context.Context, arg queries.PrunableSightingsParams) ([]queries.PrunableSightingsRow, error) {
	r, err := s.q.PrunableSightings(ctx, sqlite.PrunableSightingsParams(arg))
	return rows(r, err, func(r sqlite.PrunableSightingsRow) queries.PrunableSightingsRow {
		return queries.PrunableSightingsRow(r)
	})
}

func (s sqliteQuerier) PrunableVersions(ctx context.Context, arg queries.PrunableVersionsParams) ([]queries.PrunableVersionsRow, error) {
	r, err := s.q.PrunableVersions(ctx, sqlite.PrunableVersionsParams(arg))
	return rows(r, err, func(r sqlite.PrunableVersionsRow) queries.PrunableVersionsRow { return queries.PrunableVersionsRow(r) })
}

func (s sqliteQuerier) PruneFailures(ctx context.Context, before time.Time) error {
	return s.q.PruneFailures(ctx, before)
}

func (s sqliteQuerier) References(ctx context.Context, sha256 []byte) (int64, error) {
	return s.q.References(ctx, sha256)
}

func (s sqliteQuerier) RenameDevice(ctx context.Context, arg queries.RenameDeviceParams) error {
	return s.q.RenameDevice(ctx, sqlite.RenameDeviceParams(arg))
}

func (s sqliteQuerier) RetireDevice(ctx context.Context, id int64) error {
	return s.q.RetireDevice(ctx, id)
}

func (s sqliteQuerier) Rhythms(ctx context.Context) ([]queries.DeviceRhythm, error) {
	r, err := s.q.Rhythms(ctx)
	return rows(r, err, func(r sqlite.DeviceRhythm) queries.DeviceRhythm { return queries.DeviceRhythm(r) })
}

func (s sqliteQuerier) SilentSince(ctx context.Context, arg queries.SilentSinceParams) ([]queries.Device, error) {
	r, err := s.q.SilentSince(ctx, sqlite.SilentSinceParams(arg))
	return rows(r, err, func(r sqlite.Device) queries.Device { return queries.Device(r) })
}

func (s sqliteQuerier) UnpublishContent(ctx context.Context, arg queries.UnpublishContentParams) error {
	return s.q.UnpublishContent(ctx, sqlite.UnpublishContentParams(arg))
}

func (s sqliteQuerier) AddChanges(ctx context.Context, arg queries.AddChangesParams) error {
	return s.q.AddChanges(ctx, sqlite.AddChangesParams(arg))
}

func (s sqliteQuerier) DumpCaptures(ctx context.Context, arg queries.DumpCapturesParams) ([]queries.DumpCapturesRow, error) {
	r, err := s.q.DumpCaptures(ctx, sqlite.DumpCapturesParams(arg))
	return rows(r, err, func(r sqlite.DumpCapturesRow) queries.DumpCapturesRow { return queries.DumpCapturesRow(r) })
}

func (s sqliteQuerier) NumberOfCaptures(ctx context.Context) (int64, error) {
	return s.q.NumberOfCaptures(ctx)
}

func (s sqliteQuerier) OldestNotOfMode(ctx context.Context, mode string) (time.Time, error) {
	return s.q.OldestNotOfMode(ctx, mode)
}
