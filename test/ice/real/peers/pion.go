// An ICE agent of pion behind the lines of `peer.ts`.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"strconv"
	"strings"

	"github.com/pion/ice/v2"
	"github.com/pion/stun"
)

type line struct {
	Ufrag     string `json:"ufrag,omitempty"`
	Pwd       string `json:"pwd,omitempty"`
	Candidate string `json:"candidate,omitempty"`
	End       bool   `json:"end,omitempty"`
	Send      string `json:"send,omitempty"`
	State     string `json:"state,omitempty"`
	Received  string `json:"received,omitempty"`
}

func main() {
	out := make(chan line, 64)
	go func() {
		encoder := json.NewEncoder(os.Stdout)
		for l := range out {
			_ = encoder.Encode(l)
		}
	}()
	urls := []*ice.URL{}
	server := func(scheme ice.SchemeType, address string) {
		if address == "" {
			return
		}
		host, port, _ := strings.Cut(address, ":")
		number, _ := strconv.Atoi(port)
		urls = append(urls, &ice.URL{Scheme: scheme, Host: host, Port: number, Proto: ice.ProtoTypeUDP,
			Username: os.Args[4], Password: os.Args[5]})
	}
	server(ice.SchemeTypeSTUN, os.Args[2])
	server(ice.SchemeTypeTURN, os.Args[3])
	agent, err := ice.NewAgent(&ice.AgentConfig{
		Urls:         urls,
		NetworkTypes: []ice.NetworkType{ice.NetworkTypeUDP4},
	})
	if err != nil {
		panic(err)
	}
	ufrag, pwd, _ := agent.GetLocalUserCredentials()
	out <- line{Ufrag: ufrag, Pwd: pwd}
	_ = agent.OnCandidate(func(c ice.Candidate) {
		if c == nil {
			out <- line{End: true}
		} else {
			out <- line{Candidate: "candidate:" + c.Marshal()}
		}
	})
	_ = agent.OnConnectionStateChange(func(s ice.ConnectionState) {
		out <- line{State: strings.ToLower(s.String())}
	})
	var conn *ice.Conn
	ready := make(chan bool)
	scanner := bufio.NewScanner(os.Stdin)
	for scanner.Scan() {
		var l line
		if json.Unmarshal(scanner.Bytes(), &l) != nil {
			continue
		}
		if l.Ufrag != "" {
			_ = agent.GatherCandidates()
			go func() {
				var err error
				if os.Args[1] == "controlling" {
					conn, err = agent.Dial(context.Background(), l.Ufrag, l.Pwd)
				} else {
					conn, err = agent.Accept(context.Background(), l.Ufrag, l.Pwd)
				}
				if err != nil {
					out <- line{State: "failed " + err.Error()}
					return
				}
				close(ready)
				buffer := make([]byte, 2048)
				for {
					n, err := conn.Read(buffer)
					if err != nil || stun.IsMessage(buffer[:n]) {
						return
					}
					out <- line{Received: string(buffer[:n])}
				}
			}()
		}
		if l.Candidate != "" {
			c, err := ice.UnmarshalCandidate(strings.TrimPrefix(l.Candidate, "candidate:"))
			if err == nil {
				_ = agent.AddRemoteCandidate(c)
			}
		}
		if l.Send != "" {
			<-ready
			_, _ = conn.Write([]byte(l.Send))
		}
	}
}
