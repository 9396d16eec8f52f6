package web

// OIDC is how people log in at a provider of OpenID Connect.
type OIDC struct{ Issuer, ClientID, ClientSecret string }

type provider struct{}

func newProvider(o Options) *provider { return nil }
