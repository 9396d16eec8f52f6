package web

import (
	"net/url"

	"github.com/tftpsql/tftpsql/store"
)

// routes are the addresses of the page, with the least role that may ask for each.
var routes = []route{
	{"GET /{$}", store.Viewer, (*Page).front},
	{"GET /devices", store.Viewer, (*Page).devices},
	{"GET /d/{site}/{name}", store.Viewer, (*Page).timeline},
	{"POST /d/{site}/{name}/{action}", store.Operator, (*Page).manage},
	{"GET /c/{id}", store.Viewer, (*Page).config},
	{"GET /c/{id}/raw", store.Reader, (*Page).raw},
	{"GET /c/{id}/blame", store.Viewer, (*Page).blame},
	{"GET /diff/{pair}", store.Viewer, (*Page).diff},
	{"GET /compare", store.Viewer, (*Page).compareDevices},
	{"GET /search", store.Viewer, (*Page).search},
	{"GET /changes", store.Viewer, (*Page).changesPage},
	{"GET /changes.atom", store.Viewer, (*Page).feed},
	{"GET /failures", store.Viewer, (*Page).failures},
	{"GET /published", store.Operator, (*Page).published},
	{"POST /published", store.Operator, (*Page).publish},
	{"POST /published/end", store.Operator, (*Page).unpublish},
	{"GET /alarms", store.Admin, (*Page).alarms},
	{"POST /alarms", store.Admin, (*Page).addChannel},
	{"POST /alarms/test", store.Admin, (*Page).testChannel},
	{"POST /alarms/pause", store.Admin, (*Page).pauseChannel},
	{"POST /alarms/remove", store.Admin, (*Page).removeChannel},
	{"GET /audit", store.Admin, (*Page).audit},
	{"GET /users", store.Admin, (*Page).users},
	{"POST /users", store.Admin, (*Page).addUser},
	{"POST /users/remove", store.Admin, (*Page).removeUser},
	{"GET /tokens", store.Admin, (*Page).tokens},
	{"POST /tokens", store.Admin, (*Page).addToken},
	{"POST /tokens/remove", store.Admin, (*Page).removeToken},
	{"GET /go", store.Viewer, (*Page).goTo},
	{"GET /login", "", (*Page).login},
	{"POST /login", "", (*Page).enter},
	{"GET /login/oidc", "", (*Page).askProvider},
	{"GET " + callbackPath, "", (*Page).fromProvider},
	{"GET /link/{secret}", "", (*Page).link},
	{"POST /link/{secret}", "", (*Page).useLink},
	{"POST /logout", "", (*Page).logout},
	{"/", "", func(*Page, *visit) error { return errNotFound }},

	{"GET /api/v1/me", store.Viewer, (*Page).apiMe},
	{"GET /api/v1/devices", store.Viewer, (*Page).apiDevices},
	{"GET /api/v1/devices/{site}/{name}", store.Viewer, (*Page).apiDevice},
	{"GET /api/v1/devices/{site}/{name}/captures", store.Viewer, (*Page).apiCaptures},
	{"GET /api/v1/captures", store.Viewer, (*Page).apiCaptures},
	{"GET /api/v1/captures/{id}", store.Viewer, (*Page).apiCapture},
	{"GET /api/v1/captures/{id}/config", store.Viewer, (*Page).apiConfig},
	{"GET /api/v1/captures/{id}/blame", store.Viewer, (*Page).apiBlame},
	{"GET /api/v1/diff/{pair}", store.Viewer, (*Page).apiDiff},
	{"GET /api/v1/search", store.Viewer, (*Page).apiSearch},
	{"GET /api/v1/failures", store.Viewer, (*Page).apiFailures},

	{"GET /oxidized/nodes", store.Viewer, (*Page).oxNodes},
	{"GET /oxidized/nodes.json", store.Viewer, (*Page).oxNodes},
	{"GET /oxidized/node/show/{node...}", store.Viewer, (*Page).oxShow},
	{"GET /oxidized/node/fetch/{node...}", store.Viewer, (*Page).oxFetch},
	{"GET /oxidized/node/version", store.Viewer, (*Page).oxVersions},
	{"GET /oxidized/node/version/view", store.Viewer, (*Page).oxView},
	{"GET /oxidized/node/version/diffs", store.Viewer, (*Page).oxDiffs},
}

// nothing is the address where there is no request.
var nothing = &url.URL{Path: "/"}
